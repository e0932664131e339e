"""The page's three languages: its words, and how each writes days, hours and money.

Words are looked up in `translations/*.po`, which are read when the process starts.
"""

import gettext
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

TRANSLATIONS = Path(__file__).parent / "translations"


def marked(text: str) -> str:
    """A text of the page that stands in code: found by `make translations`, translated later."""
    return text


@dataclass(frozen=True)
class Language:
    """A language of the page."""

    code: str
    """As in `lang`, in My Setting and in the API."""
    name: str
    """In itself."""
    locale: Locale
    words: gettext.NullTranslations = field(repr=False)

    def say(self, text: str) -> str:
        """A text of the page, translated."""
        return self.words.gettext(text) if text else ""

    def written(self, text: str) -> Markup:
        """A text that somebody wrote, as HTML: what is in another script is marked with a language.

        So a screen reader reads 紅樓夢 on an English page in Chinese, and what is English on a
        Chinese one in English.
        """
        runs, code_of = (_CHINESE, _chinese) if self.code == "en" else (_ENGLISH, lambda _: "en")
        marked_run = Markup('<span lang="{}">{}</span>')
        return Markup("").join(
            marked_run.format(code_of(piece), piece) if runs.match(piece) else piece
            for piece in runs.split(text)
        )

    def day(self, value: date | str, *, weekday: bool = False) -> str:
        """A day, as "5 March 2021"; a string is ISO 8601."""
        given = date.fromisoformat(value) if isinstance(value, str) else value
        pattern = _DAYS[self.code][1 if weekday else 0]
        return dates.format_date(given, pattern, locale=self.locale)

    def weekday(self, number: int) -> str:
        """The name of a day of the week; 0 is Monday."""
        return str(self.locale.days["format"]["wide"][number])

    def short_day(self, value: str) -> str:
        """A day of ISO 8601 in little room, as "5 Mar"."""
        pattern = "d MMM" if self.code == "en" else "M月d日"
        return dates.format_date(date.fromisoformat(value), pattern, locale=self.locale)

    def moment(self, value: datetime | str, zone: ZoneInfo) -> str:
        """An instant in the library's time zone."""
        given = datetime.fromisoformat(value) if isinstance(value, str) else value
        here = given.astimezone(zone)
        clock = dates.format_time(here, "short", tzinfo=zone, locale=self.locale)
        return f"{self.day(here.date())} {clock}"

    def money(self, cents: int) -> str:
        """Cents of Hong Kong dollars."""
        amount = numbers.format_decimal(cents / 100, "#,##0.00", locale=self.locale)
        return f"${amount}"


_HAN = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_LATIN = "A-Za-z\u00c0-\u024f"
# A word of three letters at least: PIN codes and numerals are of no language.
_CHINESE = re.compile(f"([{_HAN}][\\s{_HAN}]*)")
_ENGLISH = re.compile(f"((?:[{_LATIN}]{{1,2}} ){{0,3}}[{_LATIN}]{{3}}[{_LATIN}0-9'’ ,.:;&()/-]*)")

_DAYS = {
    "en": ("d MMMM y", "EEEE, d MMMM y"),
    "zh-Hant": ("y年M月d日", "y年M月d日EEEE"),
    "zh-Hans": ("y年M月d日", "y年M月d日EEEE"),
}


def _chinese(text: str) -> str:
    """Which Chinese it is: what the library's own city could not write is Simplified."""
    try:
        text.encode("big5hkscs")
    except UnicodeEncodeError:
        return "zh-Hans"
    return "zh-Hant"


def _words(code: str) -> gettext.NullTranslations:
    """The translations of a language, from its .po file."""
    compiled = io.BytesIO()
    with (TRANSLATIONS / f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code.replace("-", "_")))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


LANGUAGES = {
    "en": Language("en", "English", Locale("en", "HK"), gettext.NullTranslations()),
    "zh-Hant": Language(
        "zh-Hant", "繁體中文", Locale("zh", "HK", script="Hant"), _words("zh-Hant")
    ),
    "zh-Hans": Language(
        "zh-Hans", "简体中文", Locale("zh", "HK", script="Hans"), _words("zh-Hans")
    ),
}

# What browsers send. Chinese without a script is Simplified, but in Hong Kong, Macao and Taiwan.
_TAGS = {
    "en": "en",
    "zh-hant": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "zh-tw": "zh-Hant",
    "yue": "zh-Hant",
    "zh": "zh-Hans",
}


def language_of(asked: str, kept: str, accepted: str) -> Language:
    """The language to answer in: asked for now, kept by this browser, or one its settings name."""
    for code in (asked, kept):
        if code in LANGUAGES:
            return LANGUAGES[code]
    for item in accepted.lower().split(","):
        tag = item.partition(";")[0].strip()
        while tag:
            if tag in _TAGS:
                return LANGUAGES[_TAGS[tag]]
            tag = tag.rpartition("-")[0]
    return LANGUAGES["en"]
