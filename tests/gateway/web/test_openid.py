"""Pages of OpenID Connect: where a browser is led, and where not."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from tests.accounts.shop import CALLBACK, Shop, query_of, registered_client
from tests.gateway.web.browser import Browser
from tests.gateway.web.conftest import log_in
from tests.support import Api


@pytest.fixture
async def shop(accounts: Api) -> Shop:
    """An e-book shop that the library has registered."""
    await registered_client(accounts)
    return Shop(accounts)


def request(shop: Shop, **changed: str) -> str:
    return f"/openid/authorize?{urlencode(shop.asked(**changed))}"


async def test_a_browser_is_led_to_no_address_that_is_not_registered(
    browser: Browser, shop: Shop
) -> None:
    evil = "https://evil.example/callback"
    browser.give("carrel_language", "en")
    for _ in range(2):  # as a guest, then logged in
        for asked in ({"redirect_uri": evil}, {"redirect_uri": evil, "prompt": "none"}):
            page = await browser.get(request(shop, **asked))
            assert page.status == 409
            assert "an address that the library doesn't know" in page.text
            assert evil not in page.html
        page = await browser.get(request(shop, client_id="nobody"))
        assert page.status == 404
        page = await browser.get(f"{request(shop)}&redirect_uri={evil}")
        assert page.status == 400
        if not browser.has("carrel_session"):
            await log_in(browser)
    page = await browser.get(f"/openid/log-out?client_id=ebooks&post_logout_redirect_uri={evil}")
    assert evil not in page.links


async def test_consent_is_given_on_a_page_of_ours_alone(browser: Browser, shop: Shop) -> None:
    browser.give("carrel_language", "en")
    await log_in(browser)
    page = await browser.get(request(shop, scope="openid email may_borrow"))
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "You are Chan Mei-ling. You go on to ebooks.example." in page.text
    assert "Your e-mail address. Whether you may borrow: yes or no." in page.text
    assert "Your name" not in page.text
    [action] = [form.action for form in page.forms if form.action.startswith("/openid/consent?")]
    forged = await browser.post(action, [("decision", "allow"), ("form", "x")])
    assert forged.status == 403
    agreed = await browser.submit(page, action, decision="allow")
    [address] = [link for link in agreed.links if link.startswith(CALLBACK)]
    assert f'content="0; url={address.replace("&", "&amp;")}"' in agreed.html
    assert query_of(address).keys() == {"code", "state", "iss"}
    tokens = await shop.exchange(query_of(address)["code"])
    assert tokens.status == 200
    again = await browser.get(request(shop, scope="openid"), **{"Sec-Fetch-Site": "same-origin"})
    assert any(link.startswith(CALLBACK) for link in again.links)  # nothing more is asked


async def test_the_protocol_is_reached_through_the_gateway(
    site: Api, browser: Browser, shop: Shop
) -> None:
    await log_in(browser)
    page = await browser.get(request(shop))
    [action] = [form.action for form in page.forms if form.action.startswith("/openid/consent?")]
    agreed = await browser.submit(page, action, decision="allow")
    [address] = [link for link in agreed.links if link.startswith(CALLBACK)]
    outside = replace(shop, api=site)
    tokens = (await outside.exchange(query_of(address)["code"])).json()
    found = await outside.user_info(tokens["access_token"])
    assert found.json()["name"] == "Chan Mei-ling"
    assert (await outside.introspect(tokens["access_token"]))["active"]
    assert (await outside.claims(tokens["id_token"]))["aud"] == "ebooks"
    wrong = await outside.call("/openid/token", client_secret="wrong")
    assert (wrong.status, wrong.headers["WWW-Authenticate"]) == (401, 'Basic realm="Carrel"')
    discovered = await site.get("/.well-known/openid-configuration")
    assert discovered.json()["token_endpoint"].endswith("/openid/token")
    assert (
        "Content-Encoding"
        not in (await site.get("/openid/keys", headers={"Accept-Encoding": "identity"})).headers
    )
