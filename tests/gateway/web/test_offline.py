"""Scans of a desk without a network: only the library's keys open them, and nothing drops one."""

import base64
import os
from uuid import uuid4

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.gateway.app import create_app
from services.gateway.settings import Settings
from services.gateway.web.offline.sealed import PURPOSE, opened, public_key
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.support import served, token

NEW, OLD, OTHER = "the new key of the desks", "the old key of the desks", "a key of nobody here"
SCAN = {
    "act": "lend",
    "at": "2021-03-08T02:00:00Z",
    "branch": "HKCL",
    "barcode": "B1",
    "card": "C1",
}


def sealed(key: str, entry_id: str, scan: object = SCAN) -> str:
    """Encrypt a scan as offline.js does, which has the public key alone."""
    curve = ec.SECP256R1()
    library = ec.EllipticCurvePublicKey.from_encoded_point(curve, base64.b64decode(key))
    own, nonce = ec.generate_private_key(curve), os.urandom(12)
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    common = own.exchange(ec.ECDH(), library)
    derived = HKDF(SHA256(), 32, salt=point, info=PURPOSE).derive(common)
    box = AESGCM(derived).encrypt(nonce, orjson.dumps(scan), entry_id.encode())
    return base64.b64encode(point + nonce + box).decode()


@pytest.mark.parametrize("keys", [OLD, f"{NEW},{OLD}", f"{OLD},{NEW}"])
def test_a_scan_is_opened_while_its_key_is_one_of_the_keys(keys: str) -> None:
    entry_id = str(uuid4())
    scan = opened(keys, entry_id, sealed(public_key(OLD), entry_id)).scan
    assert scan is not None
    assert (scan.act, scan.barcode, scan.card) == ("lend", "B1", "C1")


def test_a_scan_of_another_key_or_id_or_shape_is_not_opened() -> None:
    entry_id, other = str(uuid4()), str(uuid4())
    mine = sealed(public_key(NEW), entry_id)
    cut = base64.b64encode(base64.b64decode(mine)[:-1]).decode()
    for keys, given, box in (
        (OTHER, entry_id, mine),
        ("", entry_id, mine),
        (NEW, other, mine),
        (NEW, entry_id, cut),
        (NEW, entry_id, ""),
        (NEW, entry_id, "?"),
        (NEW, entry_id, "é"),
        (NEW, entry_id, base64.b64encode(bytes(200)).decode()),
        (NEW, entry_id, sealed(public_key(NEW), entry_id, {"act": "erase"})),
        (NEW, entry_id, sealed(public_key(NEW), entry_id, [])),
    ):
        assert opened(keys, given, box).scan is None


def test_the_public_key_is_that_of_the_first_key() -> None:
    assert public_key("") == ""
    assert public_key(f"{NEW},{OLD}") == public_key(NEW) != public_key(OLD)


async def test_a_scan_that_no_key_opens_is_shown_and_kept(whole: None, settings: Settings) -> None:
    told = settings.model_copy(update={**SECRETS, "offline_keys": NEW})
    ids = [str(uuid4()) for _ in range(2)]
    entries = [{"id": one, "sealed": sealed(public_key(OLD), one)} for one in ids]
    async with served(create_app, told) as api, Browser(api.url) as browser:
        browser.give("carrel_session", token("staff-1", ["staff"]))
        page = await insist(lambda: browser.get("/desk/offline"))
        typed = {"entries": orjson.dumps(entries).decode()}
        shown = await browser.submit(page, "/desk/offline/settlement", **typed)
        assert shown.html.count('data-state="refused"') == 2
        assert [one for one in ids if f'data-entry="{one}"' not in shown.html] == []
        assert "CARREL_OFFLINE_KEYS" in shown.text
        for wrong in ("", "[", '[{"id": "x", "sealed": ""}]'):
            page = await browser.get("/desk/offline")
            refused = await browser.submit(page, "/desk/offline/settlement", entries=wrong)
            assert refused.status == 422
        # Nobody else settles them, and a page of another site does not.
        browser.give("carrel_session", token("patron-1", ["patron"]))
        assert (await browser.get("/desk/offline")).status == 403
        forged = await browser.post("/desk/offline/settlement", [("entries", "[]")])
        assert forged.status == 403


async def test_without_a_key_a_desk_keeps_no_scans(whole: None, settings: Settings) -> None:
    told = settings.model_copy(update={**SECRETS, "offline_keys": ""})
    async with served(create_app, told) as api, Browser(api.url) as browser:
        browser.give("carrel_session", token("staff-1", ["staff"]))
        page = await insist(lambda: browser.get("/desk/offline"))
        assert "This system keeps no scans" in page.text
        assert "desk-queue.js" not in page.html
        assert "manifest" not in page.html


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_the_application_has_its_name_in_the_language_of_the_page(
    whole: None, settings: Settings, language: str
) -> None:
    names = {"en": "Library desk", "zh-Hant": "圖書館服務台", "zh-Hans": "图书馆服务台"}
    told = settings.model_copy(update=SECRETS)
    async with served(create_app, told) as api:
        answer = await api.get(f"/desk/offline/manifest?lang={language}")
        manifest = answer.json()
        assert answer.headers["Content-Type"] == "application/manifest+json"
        assert (manifest["name"], manifest["scope"]) == (names[language], "/desk")
        icon = await api.get(manifest["icons"][0]["src"])
        assert icon.headers["Content-Type"] == "image/svg+xml"
        worker = await api.get("/static/any/desk-worker.js")
        assert worker.headers["Service-Worker-Allowed"] == "/desk"
        patrons = await api.get("/static/any/patron-worker.js")
        assert patrons.headers["Service-Worker-Allowed"] == "/"
