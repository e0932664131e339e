"""The page is complete in each of its three languages."""

import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir

from services.gateway.web import words
from services.gateway.web.enquiries import desk as enquiries_desk
from services.gateway.web.languages import LANGUAGES, MOST_RUNS, TRANSLATIONS, language_of
from shared.translations import read_catalog
from tests.gateway.web.browser import Browser
from tests.gateway.web.conftest import CARD, PIN

WEB = TRANSLATIONS.parent
TEMPLATES = sorted(WEB.rglob("*.html"))
SCRIPTS = sorted((WEB / "static").glob("*.js"))
CHINESE = ["zh-Hant", "zh-Hans"]


def _wanted() -> set[str]:
    """Return every text that templates and code mark for translation."""
    methods = [("**.py", "python"), ("**.html", "jinja2")]
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "marked": None}
    found = extract_from_dir(
        WEB, methods, {"**.html": {"trimmed": "true"}}, keywords=keywords, strip_comment_tags=True
    )
    return {text[0] if isinstance(text, tuple) else text for _, _, text, _, _ in found}


def _text_of(code: str) -> str:
    """Return all files of a language."""
    return "".join(path.read_text() for path in TRANSLATIONS.glob(f"*{code}.po"))


def _strings(message: Message) -> list[str]:
    string: Any = message.string
    return [string] if isinstance(string, str) else list(string)


@pytest.mark.parametrize("code", CHINESE)
def test_every_text_is_translated(code: str) -> None:
    catalog = read_catalog(TRANSLATIONS, code)
    translated = {
        message.id[0] if isinstance(message.id, tuple) else message.id
        for message in catalog
        if message.id and not message.fuzzy and all(_strings(message))
    }
    assert _wanted() - translated == set(), "run make translations, then translate these"
    assert translated - _wanted() == set(), "run make translations: these are gone"
    broken = [message.id for message in catalog if list(message.check())]
    assert broken == [], "their %(…)s differ from the English"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_text_of_a_template_is_marked_for_translation(template: Path) -> None:
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", template.read_text(), flags=re.DOTALL)
    spoken = re.findall(r'(?:alt|title|aria-label|placeholder)="([^"]*)"', text)
    read = re.sub(r"<[^>]*>", " ", text)
    assert re.findall(r"[^\W\d_]{2,}", " ".join([read, *spoken])) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_no_text_of_its_own_and_asks_for_no_language(script: Path) -> None:
    """The journeys through the pages rely on it: each way of taking them has one language."""
    code = re.sub(r"//.*", "", script.read_text()).replace('"use strict";', "")
    strings = re.findall(r"""["'`]([^"'`]*)["'`]""", code)
    assert [one for one in strings if re.search(r"[^\W\d_] [^\W\d_]", one)] == []
    assert re.findall(r"navigator\.language|\.lang\b|Intl\b|toLocale", code) == []


def test_no_simplified_characters_are_in_the_traditional_texts() -> None:
    """Compares characters of library words that the two scripts write differently."""
    traditional, simplified = _text_of("zh-Hant"), _text_of("zh-Hans")
    assert set("书馆馆续阅约这时们页语费数还迟类记请账罚历") & set(traditional) == set()
    assert set("書館續閱約這時們頁語費數還遲類記請帳罰曆") & set(simplified) == set()


@pytest.mark.parametrize(("code", "other"), [("zh-Hant", "公告"), ("zh-Hans", "通告")])
def test_the_chinese_texts_use_one_word_for_you_and_one_for_a_notice(code: str, other: str) -> None:
    texts = _text_of(code)
    assert [word for word in ("你", other) if word in texts] == []


@pytest.mark.parametrize("states", [words.ENQUIRIES, enquiries_desk.QUEUES])
def test_a_closed_question_is_not_said_to_be_a_closed_library(states: dict[str, str]) -> None:
    closed = [LANGUAGES[code].say(states["closed"]) for code in LANGUAGES]
    assert closed == ["Question closed", "已結束", "已结束"]


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "answered"),
    [
        ("zh-Hans", "zh-Hant", "en", "zh-Hans"),
        ("xx", "zh-Hant", "en", "zh-Hant"),
        ("", "", "zh-HK,zh;q=0.9,en;q=0.8", "zh-Hant"),
        ("", "", "zh-TW", "zh-Hant"),
        ("", "", "zh-Hant-HK", "zh-Hant"),
        ("", "", "yue-Hant-HK", "zh-Hant"),
        ("", "", "zh-CN,zh;q=0.9", "zh-Hans"),
        ("", "", "zh", "zh-Hans"),
        ("", "", "fr-FR, en-GB;q=0.7", "en"),
        ("", "", "", "en"),
        ("", "", ";;,=\x00", "en"),
        ("", "", "ZH-hk-x-own", "zh-Hant"),
        ("", "", "zhx-HK, -zh, yuex", "en"),
        ("", "", "-" * 16_000, "en"),
    ],
)
def test_the_language_comes_from_the_link_then_the_cookie_then_the_browser(
    asked: str, kept: str, accepted: str, answered: str
) -> None:
    assert language_of(asked, kept, accepted).code == answered


@pytest.mark.parametrize(
    ("code", "day", "money"),
    [
        ("en", "Friday, 5 March 2021", "$1,234.50"),
        ("zh-Hant", "2021年3月5日星期五", "$1,234.50"),
        ("zh-Hans", "2021年3月5日星期五", "$1,234.50"),
    ],
)
def test_dates_and_amounts_are_formatted_for_each_language(code: str, day: str, money: str) -> None:
    language = LANGUAGES[code]
    assert (language.day("2021-03-05", weekday=True), language.money(123450)) == (day, money)


@pytest.mark.parametrize(
    ("code", "text", "html"),
    [
        ("en", "紅樓夢", '<span lang="zh-Hant">紅樓夢</span>'),
        ("en", "红楼梦", '<span lang="zh-Hans">红楼梦</span>'),
        ("en", "“紅樓夢” is due", '“<span lang="zh-Hant">紅樓夢</span>” is due'),
        ("en", "Tom & <b>", "Tom &amp; &lt;b&gt;"),
        ("zh-Hant", "紅樓夢", "紅樓夢"),
        ("zh-Hant", "A Tale & so on：好", '<span lang="en">A Tale &amp; so on</span>：好'),
        ("zh-Hans", "每天 $1.50", "每天 $1.50"),
        ("zh-Hant", "K2420737EAB", "K2420737EAB"),
        ("zh-Hant", "K2420737EAB at last", 'K2420737EAB <span lang="en">at last</span>'),
    ],
)
def test_text_in_another_script_is_marked_with_its_language(
    code: str, text: str, html: str
) -> None:
    assert LANGUAGES[code].written(text) == html


@pytest.mark.parametrize(("code", "run"), [("en", "中"), ("zh-Hant", "Old maps")])
def test_a_text_of_very_many_runs_is_marked_in_part(code: str, run: str) -> None:
    text = f"{run}7<" * 1000 if code == "zh-Hant" else f"a{run}<" * 1000
    html = LANGUAGES[code].written(text)
    assert html.count("<span ") == html.count("</span>") == MOST_RUNS
    assert html.striptags() == text


async def test_a_link_changes_the_language_and_a_cookie_keeps_it(browser: Browser) -> None:
    entrance = await browser.get("/log-in")
    assert entrance.language == "en"
    (link,) = [link for link in entrance.links if "zh-Hans" in link]
    page = await browser.get(link)
    assert (page.language, page.headers["Content-Language"]) == ("zh-Hans", "zh-Hans")
    assert "登录" in page.text
    assert (await browser.get("/log-in")).language == "zh-Hans"


async def test_after_log_in_pages_are_in_the_language_of_the_account(
    browser: Browser,
) -> None:
    entrance = await browser.get("/log-in")
    page = await browser.submit(entrance, "/log-in", card_number=CARD, pin=PIN)
    assert (page.language, "我的帳戶" in page.text) == ("zh-Hant", True)
