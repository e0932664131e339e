"""Pages are compressed, except where another site may have chosen what they repeat."""

import gzip

import pytest

from services.gateway.web.session import SESSION
from tests.gateway.web.browser import Browser
from tests.support import Api, token

GUESS = "a-guess-of-another-site"


async def body_of(site: Api, path: str, **headers: str) -> tuple[str | None, bytes]:
    """Return the content encoding and the body of a page, as they are sent."""
    sent = {"Accept": "text/html", "Accept-Encoding": "gzip", "Cookie": f"{SESSION}={token()}"}
    async with site._session.get(
        site.url + path, headers=sent | headers, auto_decompress=False
    ) as answer:
        assert answer.status == 200
        return answer.headers.get("Content-Encoding"), await answer.read()


@pytest.mark.parametrize("asked_by", ["same-origin", "none"])
async def test_a_page_is_compressed_if_the_reader_or_a_page_of_the_library_asks(
    lone_site: Api, asked_by: str
) -> None:
    coding, body = await body_of(lone_site, "/catalogue", **{"Sec-Fetch-Site": asked_by})
    whole = gzip.decompress(body)
    assert coding == "gzip"
    assert b"</html>" in whole
    assert len(body) < len(whole) / 2


@pytest.mark.parametrize("asked_by", ["cross-site", "same-site", "", "same-origin, none"])
async def test_a_page_that_another_site_or_an_unknown_browser_asks_for_is_not_compressed(
    lone_site: Api, asked_by: str
) -> None:
    headers = {"Sec-Fetch-Site": asked_by} if asked_by else {}
    coding, body = await body_of(lone_site, "/catalogue", **headers)
    assert coding is None
    assert b"</html>" in body


async def test_two_copies_of_a_page_have_no_secret_of_a_form_in_common(lone_site: Api) -> None:
    secrets = []
    async with Browser(lone_site.url) as browser:
        browser.give(SESSION, token())
        for _ in range(2):
            page = await browser.get("/catalogue")
            fields = [field for form in page.forms for field in form.fields]
            secrets.append({value for name, value in fields if name in ("form", "key")})
    assert secrets[0]
    assert not secrets[0] & secrets[1]


@pytest.mark.parametrize("path", ["/catalogue", "/notices", "/log-in", "/none"])
async def test_a_page_repeats_no_parameter_that_it_does_not_have(lone_site: Api, path: str) -> None:
    async with Browser(lone_site.url) as browser:
        page = await browser.get(f"{path}?{GUESS}={GUESS}&lang=zh-Hant")
    assert GUESS not in page.html
    assert f"{path}?lang=en" in page.links


async def test_the_languages_of_a_page_keep_its_parameters(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        page = await browser.get(f"/catalogue?q=&after=x&{GUESS}=1")
    assert "/catalogue?q=&after=x&lang=zh-Hans" in page.links
