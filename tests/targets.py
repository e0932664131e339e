"""Every kind of target of a hold, on a few copies, and which of them compete for a copy."""

from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Target

WORK = "w-harbour"


def _copy(title: str, barcode: str, volume: str | None, work: str | None) -> Copy:
    return Copy(barcode, title, barcode, "adult", "HKCL", volume=volume, work_id=work)


COPIES = [
    *(_copy("hardback", barcode, None, WORK) for barcode in ("H1", "H2")),
    _copy("hardback", "H3", "v. 1", WORK),
    _copy("paperback", "P1", None, WORK),
    *(_copy("set", barcode, volume, None) for barcode, volume in (("S1", "1"), ("S2", "1"))),
    _copy("set", "S3", "2", None),
    *(_copy("other", barcode, None, None) for barcode in ("O1", "O2")),
]
TARGETS = [
    *dict.fromkeys(Target(one.title_id, one.volume, None, one.work_id) for one in COPIES),
    *(Target(one.title_id, one.volume, one.barcode, one.work_id) for one in COPIES),
    Target("hardback", None, None, WORK, any_edition=True),
    Target("paperback", None, None, WORK, any_edition=True),
]


def compete(one: Target, other: Target) -> bool:
    """Return whether some copy suits both targets."""
    return any(one.suits(copy) and other.suits(copy) for copy in COPIES)
