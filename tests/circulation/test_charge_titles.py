"""A charge names its title for as long as circulation keeps its loan."""

import orjson

from services.circulation import snapshots
from shared.contracts.circulation import ChargeSnapshot
from shared.mongo import SnapshotQuery
from tests.circulation.desk import Desk


async def test_the_event_and_snapshot_of_a_fine_name_the_title_of_its_loan(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    await desk.take_back(loan["barcode"], on="2020-12-20")
    database = desk.api.app.state.database
    [row] = await database.outbox.find({"topic": "fine.assessed"}).to_list(None)
    told = orjson.loads(row["body"])
    assert (told["loan_id"], told["title_id"]) == (loan["id"], loan["title_id"])
    [again], _ = await snapshots.charges(database, SnapshotQuery())
    assert isinstance(again, ChargeSnapshot)
    assert (again.charge_id, again.title_id) == (told["charge_id"], loan["title_id"])
