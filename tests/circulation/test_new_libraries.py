"""A library of which circulation has not heard: the event of its registration is late."""

from collections.abc import AsyncIterator

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.circulation.app import create_app
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from shared.auth import Verifier
from tests.circulation.desk import STAFF, settings_for
from tests.notices import library
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS, Api, reaching, served, test_keys

READS = ("/v1/holds/awaited/{}", "/v1/self-checkouts/{}")


@pytest.fixture
async def circulation(mongo_url: str, database: str) -> AsyncIterator[Api]:
    """Circulation, which can ask notices and gets no events; there is the library HKCL."""
    own = settings_for(mongo_url, database)
    shared = own.model_dump(include={"mongo_url", "database_prefix", "roles", "simulation"})
    accounts_settings = AccountsSettings(**shared, service_keys=PUBLIC_SERVICE_KEYS)
    async with served(create_accounts, accounts_settings, trust_test_keys=False) as accounts:
        notices_settings = reaching(NoticesSettings(**shared), accounts=accounts.url)
        async with served(create_notices, notices_settings, trust_test_keys=False) as notices:
            trusting_accounts = notices.app.state.verifier
            notices.app.state.verifier = Verifier(test_keys)
            await library.register(notices, "HKCL")
            notices.app.state.verifier = trusting_accounts
            told = own.model_copy(update={"service_key": SERVICE_KEYS["circulation"]})
            reached = reaching(told, accounts=accounts.url, notices=notices.url)
            async with served(create_app, reached) as circulation:
                yield circulation


@pytest.mark.parametrize("path", READS)
async def test_a_desk_reads_of_its_library_before_the_event_of_it(
    circulation: Api, path: str
) -> None:
    assert (await circulation.get(path.format("HKCL"), as_=STAFF)).status == 200
    missing = await circulation.get(path.format("NONE"), as_=STAFF)
    assert (missing.status, missing.json()["code"]) == (404, "unknown-branch")
