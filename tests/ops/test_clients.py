"""`carrel clients`: services of others where patrons log in."""

from pathlib import Path

import orjson
import pytest
from joserfc.jwk import ECKey

from services.accounts.openid.rules import secret_digest
from services.accounts.settings import Settings
from shared.mongo import Database
from tests.ops.command import carrel
from tests.support import patient_client

SHOP = ("clients", "add", "ebooks", "--name", "E-book shop", "--redirect", "https://e.example/cb")


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database)


def clients_of(settings: Settings) -> Database:
    return patient_client(settings.mongo_url)[f"{settings.database_prefix}_accounts"]


async def test_a_secret_is_printed_once_and_stored_as_a_digest(settings: Settings) -> None:
    made = (await carrel(settings, *SHOP, "--scope", "may_borrow", "--json")).json()
    assert made["client_id"] == "ebooks"
    listed = await carrel(settings, "clients", "list", "--json")
    assert made["client_secret"] not in listed.out
    [client] = listed.json()["items"]
    assert client["scopes"] == ["openid", "may_borrow"]
    assert client["sector"] == "e.example"
    assert not {"salt", "secrets"} & client.keys()
    assert "E-book shop" in (await carrel(settings, "clients", "list")).out
    another = (await carrel(settings, "clients", "secret", "ebooks")).out
    assert another.startswith("client_id=ebooks\nclient_secret=")
    database = clients_of(settings)
    stored = await database.openid_clients.find_one({"_id": "ebooks"})
    assert stored is not None
    secret = another.strip().rpartition("=")[2]
    assert stored["secrets"] == [secret_digest(secret), secret_digest(made["client_secret"])]
    acts = [entry["act"] async for entry in database.audit_trail.find().sort("_id", 1)]
    assert acts == ["carrel clients add ebooks", "carrel clients secret ebooks"]

    await database.openid_consents.insert_one({"_id": "ebooks p-1", "client_id": "ebooks"})
    assert (await carrel(settings, "clients", "remove", "ebooks")).code == 0
    assert await database.openid_consents.count_documents({}) == 0
    assert (await carrel(settings, "clients", "list", "--json")).json() == {"items": []}


async def test_keys_take_the_place_of_a_secret(settings: Settings, tmp_path: Path) -> None:
    key, file = ECKey.generate_key("P-256"), tmp_path / "keys.json"
    file.write_bytes(orjson.dumps({"keys": [key.as_dict(private=True)]}))
    refused = await carrel(settings, *SHOP, "--keys", str(file))
    assert (refused.code, "no set of public keys" in refused.err) == (1, True)
    file.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False)]}))
    made = await carrel(settings, *SHOP, "--keys", str(file))
    assert made.out == "client_id=ebooks\n"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--redirect", "http://e.example/cb"), "begins with https://"),
        (("--redirect", "https://e.example/cb#there"), "begins with https://"),
        (("--redirect", "https://e.example@evil.example/"), "begins with https://"),
        (("--log-out", "ftp://e.example/"), "begins with https://"),
        (("--redirect", "https://other.example/cb"), "on several hosts"),
        (("--scope", "loans"), "There is no scope loans."),
        (("--name", " "), "1 to 100 characters"),
    ],
)
async def test_a_faulty_client_is_refused(
    settings: Settings, more: tuple[str, ...], reason: str
) -> None:
    refused = await carrel(settings, *SHOP, *more)
    assert refused.code == 1
    assert reason in " ".join(refused.err.split())


async def test_an_id_is_given_once_and_an_unknown_one_changes_nothing(settings: Settings) -> None:
    assert (await carrel(settings, *SHOP)).code == 0
    assert (await carrel(settings, *SHOP)).code == 1
    for act in ("secret", "remove"):
        assert (await carrel(settings, "clients", act, "unknown")).code == 1
