"""Logging in and out on the page, and attacks on its cookies and forms."""

from collections.abc import Callable
from itertools import cycle
from urllib.parse import quote

import pytest

from services.gateway.web.session import own_path
from shared.auth import Verifier
from tests.gateway.web.browser import Browser, Page
from tests.gateway.web.conftest import CARD, PIN, log_in
from tests.support import Api, test_keys, token

TYPED = {"card_number": CARD, "pin": PIN}


def attributes_of(cookies: list[str]) -> dict[str, set[str]]:
    """Return the attributes of each cookie by its name."""
    parts = [cookie.split(";") for cookie in cookies]
    return {
        name.partition("=")[0]: {part.strip().lower() for part in rest} for name, *rest in parts
    }


async def test_a_patron_logs_in_sees_the_account_and_logs_out(browser: Browser) -> None:
    entrance = await browser.get("/")
    assert (entrance.status, entrance.path) == (200, "/log-in")

    account = await browser.submit(entrance, "/log-in", **TYPED)
    assert (account.status, account.path) == (200, "/")
    assert "Chan Mei-ling" in account.text

    left = await browser.submit(account, "/log-out")
    assert (left.path, browser.has("carrel_session")) == ("/log-in", "")
    assert (await browser.get("/")).path == "/log-in"


async def test_a_copied_cookie_is_worthless_after_log_out(browser: Browser, site: Api) -> None:
    await log_in(browser)
    copied = browser.has("carrel_session")
    await browser.submit(await browser.get("/"), "/log-out")
    browser.give("carrel_session", copied)
    assert (await browser.get("/")).path == "/log-in"
    assert (await site.get("/v1/me", as_=copied.partition("~")[0])).status == 401


async def test_a_patron_logs_out_on_all_devices(browser: Browser, site: Api) -> None:
    async with Browser(site.url) as phone:
        for one in (browser, phone):
            await log_in(one)
        setting = await browser.get("/setting?lang=en")
        [_, everywhere] = [form for form in setting.forms if form.action == "/log-out"]
        left = await browser.post("/log-out", everywhere.fields)
        assert (left.path, browser.has("carrel_session")) == ("/log-in", "")
        assert "You have logged out on all devices." in left.text
        assert (await phone.get("/")).path == "/log-in"
        await log_in(phone)
        assert (await phone.get("/")).path == "/"


async def test_a_new_pin_logs_out_other_devices_and_not_this_one(
    browser: Browser, site: Api
) -> None:
    async with Browser(site.url) as phone:
        for one in (browser, phone):
            await log_in(one)
        chosen = {"pin": PIN, "new_pin": "31-41-59", "repeated_pin": "31-41-59"}
        changed = await browser.submit(await browser.get("/setting"), "/setting/pin", **chosen)
        assert (changed.status, changed.path) == (200, "/setting")
        assert (await phone.get("/")).path == "/log-in"


async def test_without_accounts_this_browser_is_logged_out_but_not_others(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        browser.give("carrel_session", token(session_id="session-1"))
        page = await browser.get("/log-out")
        fields = page.form("/log-out").fields
        failed = await browser.post("/log-out", [*fields, ("everywhere", "yes")])
        assert (failed.status, bool(browser.has("carrel_session"))) == (503, True)
        left = await browser.post("/log-out", fields)
        assert (left.path, browser.has("carrel_session")) == ("/log-in", "")


async def test_the_token_is_only_in_a_cookie_that_scripts_cannot_read(
    browser: Browser,
) -> None:
    account = await browser.submit(await browser.get("/"), "/log-in", **TYPED)
    attributes = attributes_of(account.cookies)
    session = attributes["carrel_session"]
    assert not any(part.startswith(("max-age", "expires", "domain")) for part in session)
    assert browser.has("carrel_session") not in account.html


async def test_a_browser_keeps_its_device_after_log_out_and_logs_in_when_strangers_wait(
    browser: Browser, site: Api
) -> None:
    account = await browser.submit(await browser.get("/"), "/log-in", **TYPED)
    assert any(
        part.startswith("max-age=") for part in attributes_of(account.cookies)["carrel_device"]
    )
    await browser.submit(account, "/log-out")
    async with Browser(site.url) as stranger:
        wrong = {**TYPED, "pin": "000000"}
        for _ in range(5):
            page = await stranger.submit(await stranger.get("/log-in"), "/log-in", **wrong)
            assert page.status == 401
        page = await stranger.submit(await stranger.get("/log-in"), "/log-in", **TYPED)
        assert page.status == 429
    page = await browser.submit(await browser.get("/log-in"), "/log-in", **TYPED)
    assert (page.status, page.path) == (200, "/")


async def test_an_unusable_cookie_of_a_device_keeps_nobody_out(browser: Browser) -> None:
    for value in ("x" * 1001, "nonsense", "~~.."):
        browser.give("carrel_device", value)
        page = await browser.submit(await browser.get("/log-in"), "/log-in", **TYPED)
        assert (page.status, page.path) == (200, "/")
        await browser.submit(page, "/log-out")


async def test_an_easy_pin_is_refused_on_the_page_with_its_reason(browser: Browser) -> None:
    await browser.submit(await browser.get("/?lang=en"), "/log-in", **TYPED)
    for pin, reason in (("123456", "such as 123456"), ("password", "Many people use this PIN")):
        chosen = {"pin": PIN, "new_pin": pin, "repeated_pin": pin}
        page = await browser.submit(await browser.get("/setting"), "/setting/pin", **chosen)
        assert (page.status, reason in page.html) == (409, True)


async def test_scripts_cannot_read_cookies_and_other_sites_cannot_send_them(
    browser: Browser,
) -> None:
    entrance = await browser.get("/?lang=en")
    account = await browser.submit(entrance, "/log-in", **TYPED)
    left = await browser.submit(account, "/log-out")
    attributes = attributes_of([*entrance.cookies, *account.cookies, *left.cookies])
    names = {"device", "guest", "session", "language", "said"}
    assert attributes.keys() == {f"carrel_{name}" for name in names}
    for name, of in attributes.items():
        assert {"httponly", "samesite=lax", "path=/"} <= of, name


async def test_outside_loopback_cookies_need_tls_and_are_limited_to_this_host(site: Api) -> None:
    answer = await site.get("/log-in", headers={"Host": "library.example"})
    guest = answer.headers["Set-Cookie"]
    assert guest.startswith("__Host-carrel_guest=")
    assert "Secure" in guest


async def test_a_failed_log_in_does_not_say_which_of_card_and_pin_was_wrong(
    browser: Browser,
) -> None:
    page = await browser.submit(await browser.get("/"), "/log-in", card_number=CARD, pin="000000")
    assert (page.status, page.path) == (401, "/log-in")
    assert "Your card number or PIN is wrong." in page.text
    assert f'value="{CARD}"' in page.html
    assert "000000" not in page.html


async def test_after_five_wrong_pins_the_card_is_locked_and_the_page_says_for_how_long(
    browser: Browser,
) -> None:
    page = await browser.get("/log-in")
    for _ in range(6):
        page = await browser.submit(page, "/log-in", card_number=CARD, pin="000000")
    assert page.status == 429
    assert "try again in 15 minutes" in page.text


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/ok\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_a_target_on_another_site_is_replaced_by_the_front_page(wanted: str) -> None:
    assert own_path(wanted) == "/"


async def test_log_in_never_redirects_to_another_site(browser: Browser) -> None:
    entrance = await browser.get(f"/log-in?next={quote('//evil.example')}")
    assert (await browser.submit(entrance, "/log-in", **TYPED)).path == "/"
    assert (await browser.get(f"/log-in?next={quote('//evil.example')}")).path == "/"


async def test_a_page_that_needs_a_session_redirects_to_log_in_and_back(browser: Browser) -> None:
    entrance = await browser.get("/?lang=zh-Hant")
    assert entrance.path == "/log-in?next=%2F%3Flang%3Dzh-Hant"
    page = await browser.submit(entrance, "/log-in", **TYPED)
    assert (page.path, page.language) == ("/?lang=zh-Hant", "zh-Hant")


async def test_the_page_says_that_a_session_has_ended(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        browser.give("carrel_session", token(expires_in=-1))
        page = await browser.get("/")
        assert page.path == "/log-in"
        assert "Your session has ended. Please log in again." in page.text
        again = await browser.get("/log-in")
        assert "Your session has ended" not in again.text  # only said once


@pytest.fixture
def ended(site: Api) -> Callable[[], None]:
    """A function that invalidates all tokens; its second call makes them valid again."""
    verifiers = cycle([Verifier(test_keys), site.app.state.verifier])

    def end() -> None:
        site.app.state.verifier = next(verifiers)

    return end


async def test_a_form_sent_after_the_session_ended_can_be_sent_again_after_log_in(
    browser: Browser, ended: Callable[[], None]
) -> None:
    await log_in(browser)
    setting = await browser.get("/setting?lang=en")
    ended()
    entrance = await browser.submit(setting, "/setting", type=["talk", "workshop"])
    assert (entrance.status, "nothing has changed yet" in entrance.text) == (401, True)
    ended()
    wrong = await browser.submit(entrance, "/log-in", card_number=CARD, pin="000000")
    again = await browser.submit(wrong, "/log-in", **TYPED)
    assert "The change that you sent before was not made." in again.text
    untouched = (await browser.get("/setting")).form("/setting").fields
    assert [value for name, value in untouched if name == "type"] == []

    saved = await browser.submit(again, "/setting")
    types = [value for name, value in saved.form("/setting").fields if name == "type"]
    assert types == ["talk", "workshop"]


async def test_no_pin_is_kept_in_the_form_of_an_ended_session(
    browser: Browser, ended: Callable[[], None]
) -> None:
    await log_in(browser)
    form = (await browser.get("/")).form("/log-out").fields
    ended()
    page = await browser.post("/desk/patrons", [*form, ("pin", "864209"), ("name", "Wong")])
    assert (page.status, "Wong" in page.html, "864209" in page.html) == (401, True, False)


async def test_a_kept_form_that_targets_another_site_is_not_offered_again(browser: Browser) -> None:
    entrance = await browser.get("/log-in")
    page = await browser.submit(entrance, "/log-in", again="//evil.example", kept="a=b", **TYPED)
    assert [form.action for form in page.forms] == ["/log-out", "/"]


# ---- forged forms -------------------------------------------------------------------------------


async def _posted(browser: Browser, page: Page, **headers: str) -> Page:
    form = page.form("/log-out")
    return await browser.post("/log-out", form.fields, **headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: "{}: {}".format(*next(iter(headers.items()))),
)
async def test_a_form_from_another_site_does_nothing(
    browser: Browser, headers: dict[str, str]
) -> None:
    await log_in(browser)
    page = await _posted(browser, await browser.get("/"), **headers)
    assert page.status == 403
    assert browser.has("carrel_session")


async def test_a_form_without_its_token_or_with_one_of_another_session_does_nothing(
    browser: Browser, site: Api
) -> None:
    await log_in(browser)
    async with Browser(site.url) as other:
        theirs = (await other.get("/log-in")).form("/log-in").fields
    for fields in ([], [("form", "")], [("form", "a.b")], theirs):
        page = await browser.post("/log-out", fields)
        assert (page.status, bool(browser.has("carrel_session"))) == (403, True)


async def test_another_site_cannot_log_a_visitor_in(browser: Browser) -> None:
    page = await browser.post("/log-in", list(TYPED.items()))
    assert (page.status, browser.has("carrel_session")) == (403, "")


async def test_a_form_loaded_before_log_in_is_rejected_after_log_in(browser: Browser) -> None:
    before = (await browser.get("/log-in")).form("/log-in").fields
    await log_in(browser)
    assert (await browser.post("/log-out", before)).status == 403


async def test_the_form_token_is_masked_differently_in_each_response(browser: Browser) -> None:
    tokens = {dict((await browser.get("/log-in")).form("/log-in").fields)["form"] for _ in range(2)}
    assert len(tokens) == 2


async def test_an_account_that_page_js_refreshes_leaves_a_message_to_the_next_page(
    browser: Browser,
) -> None:
    await log_in(browser)
    setting = (await browser.get("/setting")).form("/setting")
    saved = await browser.post_only("/setting", setting.fields)
    assert saved.status == 303
    refreshed = await browser.get("/", **{"Carrel-Refresh": "1"})
    assert (refreshed.status, 'id="said"' in refreshed.html) == (200, False)
    assert 'id="said"' in (await browser.get("/")).html


async def test_a_message_that_this_site_did_not_sign_is_not_shown(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        browser.give("carrel_said", "W1siZm9yZ2VkIix7fSx0cnVlXV0=.00")
        page = await browser.get("/log-in")
    assert (page.status, 'id="said"' in page.html) == (200, False)
