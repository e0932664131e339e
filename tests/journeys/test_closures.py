"""Historical closures, seen in a patron's account and inbox through the gateway."""

from typing import Any

from tests.library import Library


def at(library: Library, day: str) -> None:
    library.now = f"{day}T10:00:00+08:00"


async def borrowed(library: Library, day: str) -> tuple[str, str, str]:
    """Lend a copy on a day, for two weeks; return the branch, the patron's card and the loan id."""
    at(library, day)
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [book], branch)
    return branch, card, loan["id"]


async def closed(library: Library, branch: str, first: str, **more: Any) -> str:
    body = {"branches": [branch], "from": first, "reason": "Epidemic", **more}
    closure = await library.post("/v1/closures", body, by="staff")
    return str(closure["id"])


async def shown(library: Library, card: str) -> tuple[str, bool]:
    """Return the due date and overdue flag in the account, once all events are processed."""
    await library.flow.settle(within=60)
    [loan] = (await library.get("/v1/me", by=card))["loans"]
    return loan["due_on"], loan["overdue"]


async def told(library: Library, card: str) -> list[str]:
    """Return the notifications about due dates, oldest first."""
    items = (await library.get("/v1/me/inbox", by=card))["items"]
    return [one["text"] for one in reversed(items) if one["kind"] == "loan.due-date-changed"]


async def test_the_cancelled_reopening_of_20_july_2020(library: Library) -> None:
    branch, card, _ = await borrowed(library, "2020-06-20")  # due on 4 July
    at(library, "2020-07-01")
    closure = await closed(library, branch, "2020-07-02")
    assert await shown(library, card) == ("2020-07-04", False)

    async def reopen(day: str | None) -> None:
        await library.post(f"/v1/closures/{closure}/reopening", {"reopened_on": day}, by="staff")

    at(library, "2020-07-10")
    await reopen("2020-07-20")
    assert await shown(library, card) == ("2020-07-20", False)

    at(library, "2020-07-14")
    await reopen(None)
    at(library, "2020-08-01")
    assert await shown(library, card) == ("2020-07-20", False)  # closed, with no end announced

    at(library, "2020-08-20")
    await reopen("2020-08-24")
    assert await shown(library, card) == ("2020-08-24", False)
    at(library, "2020-08-25")
    assert await shown(library, card) == ("2020-08-24", True)
    texts = await told(library, card)
    assert [("20 July" in text, "24 August" in text) for text in texts] == [
        (True, False),
        (True, True),
    ]


async def test_a_typhoon_day_moves_the_due_dates_on_it_by_a_day(library: Library) -> None:
    branch, card, loan = await borrowed(library, "2020-10-01")  # due on the 15th
    at(library, "2020-10-15")
    await closed(library, branch, "2020-10-15", reopened_on="2020-10-16", reason="Typhoon")
    assert await shown(library, card) == ("2020-10-16", False)
    at(library, "2020-10-17")
    statement = await library.get(f"/v1/loans/{loan}/fine-statement", by=card)
    assert statement["charged_days"] == 1


async def test_withdrawing_a_closure_as_an_error_restores_the_due_date_and_notifies_the_patron(
    library: Library,
) -> None:
    branch, card, _ = await borrowed(library, "2020-11-20")  # due on 4 December
    at(library, "2020-11-25")
    wrong = await closed(library, branch, "2020-12-01", reopened_on="2020-12-08")
    assert await shown(library, card) == ("2020-12-08", False)
    at(library, "2020-11-26")
    body = {"in_error": True, "reason": "Meant another library"}
    await library.post(f"/v1/closures/{wrong}/withdrawal", body, by="staff")
    assert await shown(library, card) == ("2020-12-04", False)
    moved, restored = await told(library, card)
    assert "because the library is closed" in moved
    assert "announced in error" in restored
