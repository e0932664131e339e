"""`carrel keys`: keys for the services, and a revocation after a theft, without a token."""

import asyncio
import os
import subprocess
import sys

from typer.testing import CliRunner

from ops.commands.keys import app
from ops.direct import add_account
from services.accounts.app import create_app
from services.accounts.settings import Settings
from services.registry import NAMES
from shared.assertions import assertion, verified
from shared.clock import wall_clock
from tests import patience
from tests.support import served

SECRET = "a secret of these tests"


def test_each_service_gets_a_key_of_its_own_and_accounts_the_public_halves() -> None:
    ran = CliRunner().invoke(app, ["services"])
    assert ran.exit_code == 0
    made = dict(line.split("=", 1) for line in ran.output.splitlines())
    keys = {name: made.pop(f"CARREL_SERVICE_KEY_{name.upper()}") for name in NAMES}
    assert len({*keys.values()}) == len(NAMES)
    known = Settings(service_keys=made.pop("CARREL_SERVICE_KEYS")).service_keys  # type: ignore[arg-type]
    assert made == {}
    for service, key in keys.items():
        said = assertion(service, key, "accounts", wall_clock())
        assert verified(said, known, "accounts", wall_clock()).service == service


async def test_keys_are_revoked_without_a_token_and_the_new_one_is_sealed(
    mongo_url: str, database: str
) -> None:
    settings = Settings(
        mongo_url=mongo_url, database_prefix=database, roles=("api",), card_key="key of tests"
    )
    await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    login = {"card_number": "OP-1", "pin": "27-18-28"}
    async with served(create_app, settings, trust_test_keys=False) as api:
        assert (await api.post("/v1/sessions", login)).status == 200
        [before] = (await api.get("/v1/keys")).json()["keys"]
        environment = {
            **os.environ,
            "CARREL_MONGO_URL": settings.mongo_url,
            "CARREL_DATABASE_PREFIX": settings.database_prefix,
            "CARREL_SIGNING_SECRETS": SECRET,
        }
        revoked = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "ops", "keys", "revoke"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=patience.stretched(60),
            check=False,
        )
        assert revoked.returncode == 0, revoked.stderr
        [after] = (await api.get("/v1/keys")).json()["keys"]
        assert revoked.stdout.startswith(f"Revoked all keys; {after['kid']} signs from now on.")
        assert after["kid"] != before["kid"]
    sealing = settings.model_copy(update={"signing_secrets": SECRET})
    async with served(create_app, sealing, trust_test_keys=False) as api:
        assert (await api.post("/v1/sessions", login)).status == 200
