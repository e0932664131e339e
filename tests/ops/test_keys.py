"""`carrel keys revoke`: after a theft, without a token."""

import asyncio
import os
import subprocess
import sys

from ops.direct import add_account
from services.accounts.app import create_app
from services.accounts.settings import Settings
from tests.support import served

SECRET = "a secret of these tests"


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
            timeout=60,
            check=False,
        )
        assert revoked.returncode == 0, revoked.stderr
        [after] = (await api.get("/v1/keys")).json()["keys"]
        assert revoked.stdout.startswith(f"Revoked all keys; {after['kid']} signs from now on.")
        assert after["kid"] != before["kid"]
    sealing = settings.model_copy(update={"signing_secrets": SECRET})
    async with served(create_app, sealing, trust_test_keys=False) as api:
        assert (await api.post("/v1/sessions", login)).status == 200
