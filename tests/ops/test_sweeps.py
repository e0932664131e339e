"""`carrel sweeps` tells branches that nothing concerned from those whose due dates settle."""

from services.circulation.rules.sweep import (
    Position,
    Stage,
    Trigger,
    begin,
    come_to_an_end,
    finish,
    take,
)
from services.settings import Settings
from shared.clock import wall_clock
from shared.mongo import to_document
from tests.ops.command import carrel
from tests.support import patient_client


async def test_a_branch_whose_announcement_concerned_no_loan_is_idle(
    mongo_url: str, database: str
) -> None:
    now = wall_clock()
    moving, quiet = (begin(None, code, 1, Trigger(now, "c", "e")) for code in ("BUSY", "CALM"))
    moved = take(moving, (Position(Stage.LOANS, "loan-1"),), 1, now)
    moved = finish(moved, moved.taken)
    client = patient_client(mongo_url)
    found = [come_to_an_end(one, now) for one in (moved, quiet)]
    await client[f"{database}_circulation"].sweeps.insert_many(map(to_document, found))
    client.close()
    ran = await carrel(Settings(mongo_url=mongo_url, database_prefix=database), "sweeps", "--json")
    assert {(one["branch"], one["state"], one["done"]) for one in ran.json()["sweeps"]} == {
        ("BUSY", "settling", 1),
        ("CALM", "idle", 0),
    }
