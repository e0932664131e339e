"""The indexes of the collections that the chassis keeps in the database of every service."""

from pymongo import ASCENDING, IndexModel

from shared import audit_trail
from shared.data_keys import FINGERPRINTS
from shared.declared_indexes import Indexes, sharded_by
from shared.processes import KEPT_SECONDS


def chassis_indexes(outbox_days: int) -> Indexes:
    """Return the indexes of the collections that the chassis keeps in every service's database."""
    return {
        # Pending rows are read through this index: equal keys are in the order of insertion,
        # which for one aggregate is the order of its changes.
        "outbox": [
            IndexModel([("pending", ASCENDING)], sparse=True),
            IndexModel([("published_at", ASCENDING)], expireAfterSeconds=outbox_days * 86_400),
        ],
        "inbox": sharded_by(
            "_id", [IndexModel([("at", ASCENDING)], expireAfterSeconds=30 * 86_400)]
        ),
        "answers": sharded_by(
            "_id",
            [
                IndexModel([("at", ASCENDING)], expireAfterSeconds=86_400),
                IndexModel([("personal_of", ASCENDING)], sparse=True),
            ],
        ),
        **audit_trail.INDEXES,
        "leases": [],
        "processes": [IndexModel([("seen_at", ASCENDING)], expireAfterSeconds=KEPT_SECONDS)],
        "job_runs": [],
        "dead_letters": [
            IndexModel([("state", ASCENDING), ("at", ASCENDING)]),
            IndexModel([("place", ASCENDING)], sparse=True),
        ],
        "known_keys": [],
        FINGERPRINTS: [],
    }
