"""The return desk also receives copies in transit, in one request with returned copies."""

from tests.circulation.desk import Desk
from tests.circulation.shelf import copy_of, hold, now

DAY = "2020-11-20"


async def test_the_return_desk_receives_copies_in_transit_and_names_their_hold(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    loan = await desk.loan()
    held = await hold(desk, "p2", loan["title_id"], at="LFU")
    [returned] = await desk.take_back(loan["barcode"], on=DAY)
    assert (returned["copy"]["state"], returned["copy"]["bound_for"]) == ("in-transit", "LFU")

    [arrived] = await desk.take_back(loan["barcode"], on="2020-11-21", branch="LFU")
    assert (arrived["ok"], arrived["problem"]) == (True, None)
    assert (arrived["loan"], arrived["charge"], arrived["statement"]) == (None, None, None)
    assert (arrived["copy"]["state"], arrived["copy"]["at_branch"]) == ("on-shelf", "LFU")
    assert (arrived["hold"]["patron_id"], arrived["hold"]["ready_on"]) == ("p2", "2020-11-21")
    assert (await now(desk, held))["state"] == "ready"
    assert await desk.count("hold.ready") == 1
    assert await desk.count("loan.returned") == 1


async def test_a_copy_received_at_the_wrong_library_stays_in_transit_to_its_target(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    loan = await desk.loan()
    held = await hold(desk, "p2", loan["title_id"], at="LFU")
    await desk.take_back(loan["barcode"], on=DAY)
    [twice] = await desk.take_back(loan["barcode"], on=DAY)
    assert (twice["ok"], twice["loan"]) == (True, None)
    assert (twice["copy"]["state"], twice["copy"]["bound_for"]) == ("in-transit", "LFU")
    assert (await now(desk, held))["state"] == "in-transit"
    assert await desk.count("hold.ready") == 0


async def test_one_request_handles_returned_arriving_and_unborrowed_copies(desk: Desk) -> None:
    back, homeward = await desk.loan(), await desk.loan()
    [there] = await desk.take_back(homeward["barcode"], on=DAY, branch="LFU")
    assert (there["copy"]["state"], there["copy"]["bound_for"]) == ("in-transit", "HKCL")
    [lying] = await desk.copies(1)
    results = await desk.take_back(homeward["barcode"], back["barcode"], lying, on=DAY)
    assert [one["ok"] for one in results] == [True, True, False]
    assert [one["loan"] is not None for one in results] == [False, True, False]
    assert results[2]["problem"]["code"] == "not-on-loan"
    assert await copy_of(desk, homeward["barcode"]) == ("available", "HKCL", None)
    assert await desk.count("loan.returned") == 2


async def test_an_arriving_copy_without_a_hold_serves_a_hold_placed_meanwhile(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    loan = await desk.loan()
    await desk.take_back(loan["barcode"], on=DAY, branch="LFU")
    held = await hold(desk, "p2", loan["title_id"], at="HKCL")
    [arrived] = await desk.take_back(loan["barcode"], on=DAY)
    assert (arrived["hold"]["id"], arrived["copy"]["state"]) == (held["id"], "on-shelf")


async def test_a_scanned_copy_on_the_hold_shelf_is_refused_with_its_hold_and_stays(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    loan = await desk.loan()
    held = await hold(desk, "p2", loan["title_id"], at="LFU")
    await desk.take_back(loan["barcode"], on=DAY)
    [arrived] = await desk.take_back(loan["barcode"], on=DAY, branch="LFU")
    for branch in ("LFU", "HKCL"):
        [scanned] = await desk.take_back(loan["barcode"], on=DAY, branch=branch)
        assert scanned["problem"]["code"] == "not-on-loan"
        assert (scanned["copy"], scanned["hold"]) == (arrived["copy"], arrived["hold"])
    [refused] = await desk.lend(loan["barcode"], to="p1", branch="LFU")
    assert refused["problem"]["code"] == "copy-kept"
    assert refused["copy"] == arrived["copy"]
    [unknown] = await desk.lend("NOSUCHTHING")
    assert (unknown["problem"]["code"], unknown["copy"]) == ("no-such-copy", None)
    assert {**await now(desk, held), "title": None} == arrived["hold"]
    assert await desk.count("hold.ready") == 1
