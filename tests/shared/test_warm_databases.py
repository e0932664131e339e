"""A database that a test is given is not written to by what an earlier test gave up."""

import threading

from tests import patience
from tests.warm import Mongo, wait_for_writes


def test_the_clean_up_waits_for_a_blocked_write(mongo: Mongo, database: str) -> None:
    accounts = mongo[database].accounts
    accounts.insert_one({"_id": "patron"})
    blocked = threading.Event()

    def write() -> None:
        accounts.update_one({"_id": "patron"}, {"$set": {"late": True}})

    with mongo.start_session() as session:
        session.start_transaction()
        accounts.update_one({"_id": "patron"}, {"$set": {"locked": True}}, session=session)
        writer = threading.Thread(target=write)
        writer.start()

        def release() -> None:
            while not is_writing(mongo, database):
                pass
            blocked.set()
            session.abort_transaction()

        releaser = threading.Thread(target=release)
        releaser.start()
        assert blocked.wait(timeout=patience.stretched(30))
        wait_for_writes(mongo, database)
        assert accounts.find_one({"_id": "patron"}) == {"_id": "patron", "late": True}
        writer.join()
        releaser.join()


def is_writing(mongo: Mongo, database: str) -> bool:
    blocked = {"active": True, "op": "update", "ns": f"{database}.accounts"}
    return bool(list(mongo.admin.aggregate([{"$currentOp": {}}, {"$match": blocked}])))
