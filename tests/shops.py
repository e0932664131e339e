"""E-book shops, which log patrons in with their library accounts."""

from ops.direct import unit_of_work_at
from ops.infrastructure.processes import System
from services.accounts.openid.commands.registration import new_secret, register
from services.accounts.openid.rules import CLAIMS_OF_SCOPES, Client, secret_digest
from services.accounts.settings import Settings
from shared.clock import wall_clock
from shared.ids import new_id
from shared.unit_of_work import Origin
from tests.library import Library


async def registered_shop(running: System, here: str) -> tuple[str, str]:
    """Register a shop at an address as `carrel clients add` does; return its id and secret."""
    secret = new_secret()
    client = Client(
        id=new_id(),
        name="E-book shop",
        redirect_uris=(f"{here}/callback",),
        scopes=tuple(CLAIMS_OF_SCOPES),
        sector="127.0.0.1",
        salt=new_secret(),
        secrets=(secret_digest(secret),),
        log_out_redirect_uris=(f"{here}/bye",),
        log_out_uri=f"{here}/log-out-notices",
    )
    async with unit_of_work_at(running.settings(Settings), "accounts") as unit_of_work:
        await unit_of_work.run(register, client, Origin(wall_clock()))
    return client.id, secret


async def known_to_a_shop(library: Library, card: str) -> str:
    """Let a patron log in to a new shop; return its id."""
    here = "http://127.0.0.1:9"
    client_id, _ = await registered_shop(library.system, here)
    asked = {
        "client_id": client_id,
        "redirect_uri": f"{here}/callback",
        "response_type": "code",
        "scope": "openid profile",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    body = {"parameters": asked, "decision": "allow"}
    answer = await library.post("/v1/me/authorizations", body, by=card)
    assert answer["redirect_uri"], answer
    return client_id
