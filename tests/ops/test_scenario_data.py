"""The data of the 2021 scenario, checked by itself: no services, no runner.

The file's sums were worked out by hand from the written rules. Here they are worked out again by
tests/day_by_day.py, from nothing but the steps: the closures and suspensions known at each step.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.day_by_day import DAY, next_open, overdue_days

FILE = Path(__file__).parents[2] / "ops" / "scenario" / "reopening-2021.yaml"
CASES = Path(__file__).parents[1] / "data" / "fine-cases.json"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Keys of a step of each verb besides at, do, tell, by and expect: required ones, optional ones.
VERBS: dict[str, tuple[set[str], set[str]]] = {
    "register-branches": (set(), set()),
    "register-patrons": (set(), set()),
    "add-titles": (set(), set()),
    "set-preferences": (set(), set()),
    "publish-activity": ({"activity"}, set()),
    "register-for-activity": ({"activity", "cards"}, set()),
    "record-attendance": ({"activity", "cards"}, set()),
    "check-out": ({"card", "barcodes", "branch"}, set()),
    "close": ({"as", "from", "reopened_on", "reason"}, {"kinds", "branches", "kept"}),
    "preview-closure": ({"branches", "from", "reopened_on", "reason"}, set()),
    "suspend-fines": ({"as", "starts_on", "resumes_on", "reason"}, {"kinds", "branches"}),
    "announce-resumption": ({"suspension", "resumes_on"}, set()),
    "reopen": (
        {"closure", "reopened_on", "services", "hours", "capacity", "measures"},
        {"kinds", "branches", "kept", "ready"},
    ),
    "set-service-hours": ({"branch", "service", "hours", "period"}, set()),
    "notice": ({"title", "content"}, {"kinds", "branches", "all"}),
    "renew": ({"card", "barcode"}, set()),
    "return": ({"barcodes", "branch", "channel"}, {"back_dated_to", "ready"}),
    "fetch": ({"barcodes", "branch", "ready"}, {"told_at", "says"}),
    "set-ready-delay": ({"branch", "minutes"}, set()),
    "set-wording": ({"kind", "language", "closing"}, set()),
    "place-hold": ({"card", "title", "branch"}, {"volume"}),
    "cancel-hold": ({"card", "title"}, set()),
    "declare-loss": ({"card", "barcode"}, set()),
    "return-found": ({"card", "barcode", "branch", "channel"}, set()),
    "pay": ({"card", "cents"}, set()),
    "refund": ({"card", "barcode", "kind", "cents"}, set()),
    "ask-statement": ({"card", "barcode"}, set()),
    "run-job": ({"job"}, set()),
    "erase": ({"card"}, set()),
    "expire-card": ({"card", "months", "expires_on"}, set()),
    "renew-card": ({"card", "title", "branch", "until"}, set()),
    "ask-recording": ({"card", "activity"}, set()),
    "ask-librarian": ({"card", "subject", "text"}, {"branch"}),
    "answer-enquiry": ({"card", "subject", "text"}, set()),
    "check-in": ({"branch", "door", "counted", "name", "phone"}, set()),
    "check-out-visitor": ({"name", "inside"}, set()),
    "trace-visits": (
        {"branch", "start", "until", "case_number", "reason", "visitors"},
        set(),
    ),
    "destroy-visits": ({"branch", "start", "until", "case_number", "reason"}, set()),
    "announce-season": (
        {
            *("season", "branch", "places", "sessions", "applications_from"),
            *("applications_until", "draw_on", "valid_from", "valid_until"),
        },
        set(),
    ),
    "key-in-applications": ({"season", "branch", "cards", "received_on"}, set()),
    "draw-season": ({"season", "cards", "cards_drawn"}, set()),
    "book-session": ({"branch", "session", "day", "cards", "comes_at"}, set()),
    "close-study-room": (
        {
            *("branch", "session", "day", "card", "reopened_on", "reason"),
            *("withdrawn_because", "comes_at"),
        },
        set(),
    ),
    "link-cards": ({"cards", "unknown_card"}, set()),
    "open-study-room": ({"season", "cards", "passes_on_at"}, set()),
    "expect": (set(), {"view", "my_info", "branch", "outstanding"}),
}
MUST_EXPECT = {
    "check-out",
    "reopen",
    "renew",
    "return",
    "run-job",
    "ask-recording",
    "place-hold",
    "declare-loss",
    "return-found",
    "ask-statement",
    "preview-closure",
    "erase",
}

Row = dict[str, Any]


@cache
def scenario() -> Row:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: Row = yaml.load(FILE.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe loaders
    return loaded


def steps(*verbs: str) -> list[Row]:
    return [step for step in scenario()["steps"] if not verbs or step["do"] in verbs]


def branches() -> dict[str, Row]:
    return {row["code"]: row for row in scenario()["branches"]}


def copies() -> dict[str, Row]:
    return {copy["barcode"]: copy for title in scenario()["titles"] for copy in title["copies"]}


def scope(row: Row) -> set[str]:
    """Return the codes of the branches that a step is about."""
    if row.get("all"):
        return set(branches())
    kinds = set(row.get("kinds", ()))
    return set(row.get("branches", ())) | {c for c, b in branches().items() if b["kind"] in kinds}


# ------------------------------------------------------------------ the library, day by day


@dataclass
class Loan:
    card: str
    barcode: str
    due_on: date
    notified_overdue: bool = False

    @property
    def branch(self) -> str:
        return str(copies()[self.barcode]["branch"])

    @property
    def rate(self) -> int:
        rates = scenario()["policy"]["fine_per_day_cents"]
        return int(rates[copies()[self.barcode]["category"]])


@dataclass
class Queue:
    """The holds on a title in order, and the copies set aside for them."""

    waiting: list[tuple[str, str]] = field(default_factory=list)
    """Card and pick-up branch of each waiting hold."""
    free: list[str] = field(default_factory=list)
    to_fetch: dict[str, tuple[str, str]] = field(default_factory=dict)
    """For each copy to fetch: the card it is for, and the pick-up branch."""
    shelf: dict[str, tuple[str, str, date]] = field(default_factory=dict)
    """For each card: the copy on the hold shelf, the branch, and the day since when."""


@dataclass
class Fine:
    """An assessed fine, with the loan and day from which it is worked out again."""

    loan: Loan
    on: date
    cents: int


@dataclass
class Library:
    """The closures, suspensions, loans, holds and fines known at one moment."""

    closures: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    suspensions: dict[str, Row] = field(default_factory=dict)
    hours: dict[str, Row] = field(default_factory=dict)
    loans: dict[str, Loan] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    notified_until: dict[str, date | None] = field(default_factory=dict)
    fines: dict[str, Fine] = field(default_factory=dict)
    lost: dict[str, Row] = field(default_factory=dict)

    def closed(self, branch: str, day: date) -> bool:
        spans = [by_branch[branch] for by_branch in self.closures.values() if branch in by_branch]
        return any(
            start is not None and start <= day and (end is None or day < end)
            for start, end in spans
        )

    def open_from(self, branch: str, day: date) -> date | None:
        """Return `day` or the next open day; None if no end of the closure is known."""
        return next_open(day, lambda one: not self.closed(branch, one))

    def suspension(self, branch: str, day: date) -> Row | None:
        for row in self.suspensions.values():
            resumes = row["resumes_on"]
            if (
                branch in row["scope"]
                and row["starts_on"] <= day
                and (resumes is None or day < resumes)
            ):
                return row
        return None

    def statement(self, loan: Loan, on: date) -> tuple[date | None, list[tuple[date, str, int]]]:
        """Return the day counted from, and every overdue day with its disposition and cents."""
        start = self.open_from(loan.branch, loan.due_on)
        if start is None:
            return None, []
        return start, overdue_days(
            start,
            on,
            is_open=lambda day: not self.closed(loan.branch, day),
            is_suspended=lambda day: self.suspension(loan.branch, day) is not None,
            rate=loan.rate,
            cap=int(scenario()["policy"]["fine_cap_cents"]),
        )

    def cents(self, loan: Loan, on: date) -> int:
        return sum(cents for _, _, cents in self.statement(loan, on)[1])

    def overdue(self, on: date) -> list[Loan]:
        found = []
        for loan in self.loans.values():
            start = self.open_from(loan.branch, loan.due_on)
            if start is not None and start < on:
                found.append(loan)
        return found

    def last_shelf_day(self, branch: str, since: date) -> date | None:
        day: date | None = since
        for _ in range(int(scenario()["policy"]["hold_shelf_days"])):
            day = self.open_from(branch, day + DAY) if day else None
        return day

    def serve(self, today: date, in_hand: str = "") -> None:
        """Allot free copies to the next patrons who can collect them on a known day.

        A copy that was just scanned is ready. One on its shelf has to be fetched.
        """
        for queue in self.queues.values():
            for card, branch in list(queue.waiting):
                if queue.free and not self.blocked(card) and self.open_from(branch, today):
                    barcode = queue.free.pop(0)
                    if barcode == in_hand:
                        queue.shelf[card] = (barcode, branch, today)
                    else:
                        queue.to_fetch[barcode] = (card, branch)
                    queue.waiting.remove((card, branch))

    def look_at_shelves(self, step: Row) -> None:
        """Compare a step's notified patrons with new copies and last days on the hold shelf."""
        ready, kept = {}, {}
        for queue in self.queues.values():
            for card, (_, branch, since) in queue.shelf.items():
                until = self.last_shelf_day(branch, since)
                if card not in self.notified_until:
                    ready[card] = until
                elif self.notified_until[card] != until:
                    kept[card] = until
        self.notified_until |= ready | kept
        for name, found in (("ready", ready), ("kept", kept)):
            rows = {row["card"]: day_or_none(row["until"]) for row in step.get(name, ())}
            assert rows == found, name

    def blocked(self, card: str) -> bool:
        return self.owed.get(card, 0) >= int(scenario()["policy"]["block_over_cents"])


def spans_of(days: list[tuple[date, str, int]]) -> list[Row]:
    spans = []
    for disposition, group in groupby(days, key=lambda row: row[1]):
        rows = list(group)
        spans.append(
            {
                "from": rows[0][0].isoformat(),
                "to": rows[-1][0].isoformat(),
                "days": len(rows),
                "disposition": disposition,
                "cents": sum(row[2] for row in rows),
            }
        )
    return spans


def assess(library: Library, loan: Loan, on: date, expected: Row, *, renewed: bool = False) -> None:
    """Compare a row of a return or renewal with the days counted one by one."""
    start, days = library.statement(loan, on)
    cents = sum(row[2] for row in days)
    charged = sum(1 for row in days if row[1] == "charged")
    assert expected["charged_days"] == charged
    assert expected["fine_cents"] == cents
    if not renewed:
        assert expected["due_on"] == (start.isoformat() if start else None)
    if "spans" in expected:
        assert expected["spans"] == spans_of(days)
    library.owed[loan.card] = library.owed.get(loan.card, 0) + cents
    library.fines[loan.barcode] = Fine(loan, on, cents)


def day_or_none(text: Any) -> date | None:
    return date.fromisoformat(text) if text else None


def by_barcode(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["barcode"]))


def close(library: Library, step: Row, today: date) -> None:
    span = [date.fromisoformat(step["from"]), day_or_none(step["reopened_on"])]
    library.closures[step["as"]] = {code: list(span) for code in scope(step)}
    library.look_at_shelves(step)


def reopen(library: Library, step: Row, today: date) -> None:
    first_day = date.fromisoformat(step["reopened_on"])
    assert first_day > today
    special = scenario()["special_hours"][step["hours"]]
    for code in scope(step):
        library.closures[step["closure"]][code][1] = first_day
        library.hours[code] = {**special, "capacity": step["capacity"]}
    moved = []
    for loan in library.loans.values():
        new = library.open_from(loan.branch, loan.due_on)
        if new is not None and new > loan.due_on:
            old, loan.due_on = loan.due_on, new
            row = {"from": old.isoformat(), "to": new.isoformat()}
            moved.append({"card": loan.card, "barcode": loan.barcode, **row})
    assert by_barcode(step["expect"]["due_moved"]) == by_barcode(moved)
    followers = {
        row["card"]
        for row in scenario()["preferences"]
        if set(row["followed_branches"]) & scope(step)
    }
    assert set(step["expect"]["followers_notified"]) == followers
    library.serve(today)
    library.look_at_shelves(step)


def suspend_fines(library: Library, step: Row, today: date) -> None:
    library.suspensions[step["as"]] = {
        "scope": scope(step),
        "starts_on": date.fromisoformat(step["starts_on"]),
        "resumes_on": day_or_none(step["resumes_on"]),
    }


def announce_resumption(library: Library, step: Row, today: date) -> None:
    resumes = day_or_none(step["resumes_on"])
    assert resumes is None or resumes > today
    library.suspensions[step["suspension"]]["resumes_on"] = resumes


def check_out(library: Library, step: Row, today: date) -> None:
    assert [row["barcode"] for row in step["expect"]] == step["barcodes"]
    for row in step["expect"]:
        barcode = row["barcode"]
        assert copies()[barcode]["branch"] == step["branch"]
        assert barcode not in library.loans
        assert not library.closed(step["branch"], today)
        assert library.blocked(step["card"]) is (row.get("refused") == "patron-blocked")
        if "refused" not in row:
            reckoned = today + timedelta(days=scenario()["policy"]["loan_days"])
            due = library.open_from(step["branch"], reckoned) or reckoned
            assert row["due_on"] == due.isoformat()
            library.loans[barcode] = Loan(step["card"], barcode, due)
            collect(library, step, row)


def collect(library: Library, step: Row, row: Row) -> None:
    """Collect a held copy within its shelf time, for a fee."""
    queue = library.queues.get(title_of(row["barcode"]))
    kept = queue.shelf.pop(step["card"], None) if queue else None
    fee = int(scenario()["policy"]["hold_fee_cents"]) if kept else 0
    assert row.get("fee_cents", 0) == fee
    library.owed[step["card"]] = library.owed.get(step["card"], 0) + fee
    if kept:
        assert kept[0] == row["barcode"]
        until = library.notified_until[step["card"]]
        assert until
        assert step["at"][:10] <= until.isoformat()


def title_of(barcode: str) -> str:
    return next(
        str(title["isbn"])
        for title in scenario()["titles"]
        if barcode in {copy["barcode"] for copy in title["copies"]}
    )


def return_copies(library: Library, step: Row, today: date) -> None:
    assert [row["barcode"] for row in step["expect"]] == step["barcodes"]
    on = datetime.fromisoformat(str(step.get("back_dated_to", step["at"]))).date()
    assert on <= today
    for row in step["expect"]:
        assess(library, library.loans.pop(row["barcode"]), on, row)
        if queue := library.queues.get(title_of(row["barcode"])):
            queue.free.append(row["barcode"])
        library.serve(today, in_hand=row["barcode"])
    library.look_at_shelves(step)


def fetch(library: Library, step: Row, today: date) -> None:
    """Scan all copies to fetch at a library, at the branch where their patrons collect them."""
    assert not library.closed(step["branch"], today)
    listed = []
    for queue in library.queues.values():
        for barcode, (card, branch) in list(queue.to_fetch.items()):
            assert copies()[barcode]["branch"] == branch == step["branch"]
            queue.shelf[card] = (barcode, branch, today)
            del queue.to_fetch[barcode]
            listed.append(barcode)
    assert sorted(step["barcodes"]) == sorted(listed)
    library.look_at_shelves(step)


def place_hold(library: Library, step: Row, today: date) -> None:
    assert not library.blocked(step["card"])
    if "volume" in step:  # free copies of volumes
        [title] = [one for one in scenario()["titles"] if one["isbn"] == step["title"]]
        [barcode] = [c["barcode"] for c in title["copies"] if c["volume"] == step["volume"]]
        assert barcode not in library.loans
        assert step["expect"] == {"state": "to-fetch", "position": None}
        return
    queue = library.queues.setdefault(step["title"], Queue())
    queue.waiting.append((step["card"], step["branch"]))
    assert step["expect"] == {"state": "waiting", "position": len(queue.waiting)}


def cancel_hold(library: Library, step: Row, today: date) -> None:
    barcode, _, _ = library.queues[step["title"]].shelf.pop(step["card"])
    library.queues[step["title"]].free.append(barcode)
    library.serve(today)
    library.look_at_shelves(step)


def declare_loss(library: Library, step: Row, today: date) -> None:
    loan = library.loans.pop(step["barcode"])
    assert loan.card == step["card"]
    days = library.statement(loan, today)[1]
    price = int(copies()[loan.barcode]["price_cents"])
    charges = {
        "fine": sum(cents for _, _, cents in days),
        "lost": price,
        "lost-processing": price * int(scenario()["policy"]["lost_processing_percent"]) // 100,
    }
    charged = sum(1 for row in days if row[1] == "charged")
    assert step["expect"] == {"charged_days": charged, "charges": charges}
    library.owed[loan.card] = library.owed.get(loan.card, 0) + sum(charges.values())
    library.lost[loan.barcode] = charges


def pay(library: Library, step: Row, today: date) -> None:
    assert library.owed[step["card"]] == step["cents"]
    library.owed[step["card"]] = 0


def return_found(library: Library, step: Row, today: date) -> None:
    charges = library.lost[step["barcode"]]
    assert not library.blocked(step["card"]), "paid, so that what falls away is due back"
    assert step["expect"] == {
        "charges": {**charges, "lost": 0},
        "refund_due_cents": charges["lost"],
    }


def refund(library: Library, step: Row, today: date) -> None:
    assert step["kind"] == "lost"
    assert step["cents"] == library.lost[step["barcode"]]["lost"]


def ask_statement(library: Library, step: Row, today: date) -> None:
    """Compare a fine's statement with the days, by the closures known at its last calculation."""
    fine, expected = library.fines[step["barcode"]], step["expect"]
    start, days = library.statement(fine.loan, fine.on)
    assert fine.loan.card == step["card"]
    assert expected["fine_cents"] == fine.cents == sum(cents for _, _, cents in days)
    assert expected["charged_days"] == sum(1 for row in days if row[1] == "charged")
    assert start
    assert expected["due_on"] == start.isoformat()
    assert expected["spans"] == spans_of(days)
    free = [span for span in expected["spans"] if span["disposition"] != "charged"]
    reasons = {closing["reason"] for closing in steps("close")}
    assert len(expected["causes"]) == len(free)
    assert all(cause["reason"] in reasons for cause in expected["causes"])


def erase(library: Library, step: Row, today: date) -> None:
    """Compare what the refusal names with the patron's loans and debts."""
    assert step["expect"] == {
        "open_loans": sum(loan.card == step["card"] for loan in library.loans.values()),
        "outstanding_cents": library.owed.get(step["card"], 0),
        "refund_due_cents": 0,
    }


def lower_fines(library: Library, step: Row, today: date) -> None:
    lowered = []
    for fine in library.fines.values():
        cents = library.cents(fine.loan, fine.on)
        if cents < fine.cents:
            library.owed[fine.loan.card] -= fine.cents - cents
            fine.cents = cents
            lowered.append({"card": fine.loan.card, "barcode": fine.loan.barcode, "cents": cents})
    assert by_barcode(step["expect"]["lowered"]) == by_barcode(lowered)


def preview_closure(library: Library, step: Row, today: date) -> None:
    """Compare the preview of a closure with its effect on fines; the branch has no open loans."""
    assert not [loan for loan in library.loans.values() if loan.branch in step["branches"]]
    before = {barcode: fine.cents for barcode, fine in library.fines.items()}
    span = [date.fromisoformat(step["from"]), day_or_none(step["reopened_on"])]
    library.closures["preview"] = {code: list(span) for code in step["branches"]}
    credited = [
        cents - now
        for barcode, cents in before.items()
        if (now := library.cents(library.fines[barcode].loan, library.fines[barcode].on)) < cents
    ]
    del library.closures["preview"]
    assert step["expect"] == {
        "open_loans": 0,
        "loans_moved": 0,
        "fines_lowered": len(credited),
        "credited_cents": sum(credited),
    }


def renew(library: Library, step: Row, today: date) -> None:
    [row] = step["expect"]
    loan = library.loans[step["barcode"]]
    assert (loan.card, row["barcode"]) == (step["card"], step["barcode"])
    assert not library.blocked(step["card"])
    assess(library, loan, today, row, renewed=True)
    reckoned = today + timedelta(days=scenario()["policy"]["renewal_days"])
    loan.due_on = library.open_from(loan.branch, reckoned) or reckoned
    loan.notified_overdue = False
    assert row["due_on"] == loan.due_on.isoformat()


def run_job(library: Library, step: Row, today: date) -> None:
    if step["job"] == "circulation/overdue":
        notified: dict[str, list[Row]] = {"first": [], "again": []}
        for loan in library.overdue(today):
            free = library.suspension(loan.branch, today)
            cents = None if free else library.cents(loan, today)
            row = {"card": loan.card, "barcode": loan.barcode, "cents": cents}
            notified["again" if loan.notified_overdue else "first"].append(row)
            loan.notified_overdue = True
        assert by_barcode(step["expect"]["first"]) == by_barcode(notified["first"])
        assert by_barcode(step["expect"]["again"]) == by_barcode(notified["again"])
    if step["job"] == "circulation/rework-fines":
        lower_fines(library, step, today)
    if step["job"] == "circulation/fines-resumed":
        resumed = [s for s in library.suspensions.values() if s["resumes_on"] == today]
        accruing = [
            {"card": loan.card, "barcode": loan.barcode, "cents": library.cents(loan, today)}
            for loan in library.overdue(today)
            if any(loan.branch in suspension["scope"] for suspension in resumed)
        ]
        assert by_barcode(step["expect"]["accruing"]) == by_barcode(accruing)


def look(library: Library, step: Row, today: date) -> None:
    """Compare an `expect` step with the known state."""
    if "view" in step:
        look_at_view(library, step["view"], today)
    for row in step.get("branch", ()):
        day = date.fromisoformat(row["day"])
        assert row["open"] is not library.closed(row["code"], day)
        if "hours" in row:
            special = library.hours[row["code"]]
            assert row["hours"] == special[WEEKDAYS[day.weekday()]]
            assert row["capacity"] == special["capacity"]
    if "outstanding" in step:
        cards = [patron["card_number"] for patron in scenario()["patrons"]]
        assert {row["card"]: row["cents"] for row in step["outstanding"]} == {
            card: library.owed.get(card, 0) for card in cards
        }


def look_at_view(library: Library, view: Row, today: date) -> None:
    loans = [loan for loan in library.loans.values() if loan.card == view["card"]]
    overdue = {loan.barcode for loan in library.overdue(today)}
    shown = [
        {"barcode": x.barcode, "due_on": x.due_on.isoformat(), "overdue": x.barcode in overdue}
        for x in loans
    ]
    assert by_barcode(view["loans"]) == by_barcode(shown)
    assert view["outstanding_cents"] == library.owed.get(view["card"], 0)
    assert view["accruing_cents"] == sum(library.cents(loan, today) for loan in loans)
    for row in view.get("accruing", ()):
        loan = library.loans[row["barcode"]]
        free = library.suspension(loan.branch, today)
        assert row["cents"] == library.cents(loan, today)
        assert row["suspended"] is (free is not None)
        assert day_or_none(row["resumes_on"]) == (free["resumes_on"] if free else None)


PLAYED: dict[str, Callable[[Library, Row, date], None]] = {
    "close": close,
    "reopen": reopen,
    "suspend-fines": suspend_fines,
    "announce-resumption": announce_resumption,
    "check-out": check_out,
    "return": return_copies,
    "fetch": fetch,
    "renew": renew,
    "place-hold": place_hold,
    "cancel-hold": cancel_hold,
    "declare-loss": declare_loss,
    "return-found": return_found,
    "pay": pay,
    "refund": refund,
    "ask-statement": ask_statement,
    "preview-closure": preview_closure,
    "erase": erase,
    "run-job": run_job,
    "expect": look,
}


# ------------------------------------------------------------------------------ the tests


def test_every_due_date_fine_and_notice_equals_the_count_day_by_day() -> None:
    library = Library()
    for step in steps():
        try:
            if play := PLAYED.get(step["do"]):
                play(library, step, datetime.fromisoformat(step["at"]).date())
        except AssertionError as error:
            raise AssertionError(f"{step['at']} {step['do']}: {error}") from error
    assert not library.loans, "everything is back at the end"


def test_every_published_case_of_the_reopening_occurs_and_comes_out_the_same() -> None:
    published = {case["name"]: case["expect"] for case in json.loads(CASES.read_text())["cases"]}
    lived = [row for step in steps("return", "renew") for row in step["expect"] if "case" in row]
    for row in lived:
        expect = published[row["case"]]
        assert row["due_on"] == expect["due_on"]
        assert row["charged_days"] == expect["charged_days"]
        assert row["fine_cents"] == expect["amount_cents"]
        if "spans" in row:
            spans = [{**s, "cents": s["amount_cents"]} for s in expect["spans"]]
            for span in spans:
                del span["amount_cents"]
            assert row["spans"] == spans
    # The first eight cases of the table are those of Hong Kong in 2021.
    assert {row["case"] for row in lived} == set(list(published)[:8])


def test_no_positive_fine_is_assessed_where_fines_are_suspended() -> None:
    """Otherwise its notification would ask for money during the suspension."""
    for step in steps("return", "renew"):
        day = step["at"][:10]
        for row in step["expect"]:
            kind = branches()[copies()[row["barcode"]]["branch"]]["kind"]
            first, last = (
                ("2020-12-02", "2021-05-03") if kind == "mobile" else ("2020-12-10", "2021-03-05")
            )
            assert row["fine_cents"] == 0 or not first <= day < last


def test_closures_suspensions_and_reopenings_match_the_published_ones() -> None:
    kinds = [step for step in steps("close") if "kinds" in step]
    closed = [(set(s["kinds"]), s["from"], s["reopened_on"]) for s in kinds]
    assert closed == [
        ({"small", "mobile"}, "2020-12-02", None),
        ({"central", "major", "district"}, "2020-12-10", None),
    ]
    suspended = [(set(s["kinds"]), s["starts_on"], s["resumes_on"]) for s in steps("suspend-fines")]
    assert suspended == [
        ({"central", "major", "district", "small", "mobile", "station"}, "2020-06-22", None),
        ({"mobile"}, "2020-12-02", None),
        ({"central", "major", "district", "small", "station"}, "2020-12-10", None),
    ]
    resumed = [(s["suspension"], s["resumes_on"]) for s in steps("announce-resumption")]
    assert resumed == [
        ("summer-fines", "2020-07-20"),
        ("summer-fines", None),
        ("summer-fines", "2020-08-24"),
        ("library-fines", "2021-03-05"),
        ("mobile-fines", "2021-05-03"),
    ]
    [revoked] = [s for s in steps("announce-resumption") if s["resumes_on"] is None]
    assert revoked["at"].startswith("2020-07-15")
    reopened: dict[str, set[str]] = {}
    for step in steps("reopen"):
        for code in scope(step):
            reopened.setdefault(branches()[code]["kind"], set()).add(step["reopened_on"])
    assert reopened == {
        "central": {"2021-02-19"},
        "major": {"2021-02-19"},
        "district": {"2021-02-19"},
        "small": {"2021-04-03"},
        "mobile": {"2021-04-19"},
    }


def test_every_closed_branch_reopens_once() -> None:
    closed = [c for step in steps("close") if step["reopened_on"] is None for c in scope(step)]
    reopened = [code for step in steps("reopen") for code in scope(step)]
    assert sorted(closed) == sorted(reopened)
    assert len(set(closed)) == len(closed)


def test_only_central_and_ping_shan_tin_shui_wai_reopen_their_young_adult_library() -> None:
    with_it = {
        code
        for step in steps("reopen")
        if "young-adult-library" in step["services"]
        for code in scope(step)
    }
    assert with_it == {"HKCL", "PSTSW"}
    for row in (
        row for step in steps("expect") for row in step.get("branch", ()) if "services" in row
    ):
        [step] = [step for step in steps("reopen") if row["code"] in scope(step)]
        assert row["services"] == step["services"]


def test_branches_are_the_46_of_the_sample() -> None:
    kinds = [row["kind"] for row in scenario()["branches"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "central": 1,
        "major": 6,
        "district": 31,
        "small": 3,
        "mobile": 2,
        "station": 3,
    }
    assert len(branches()) == len(kinds) == 46


def test_no_weekday_is_wholly_closed() -> None:
    data = scenario()
    assert set(data["hours"]) == {row["kind"] for row in data["branches"]}
    for week in [*data["hours"].values(), *data["special_hours"].values()]:
        assert tuple(week) == WEEKDAYS
        for hours in week.values():
            opens, _, closes = hours.partition("-")
            assert re.fullmatch(r"\d\d:\d\d-\d\d:\d\d", hours)
            assert opens < closes


def test_desk_business_is_done_in_opening_hours() -> None:
    special = {code: step for step in steps("reopen") for code in scope(step)}
    for step in steps("check-out", "return", "fetch", "return-found"):
        if step.get("channel") == "book-drop":
            continue
        at, code = datetime.fromisoformat(step["at"]), step["branch"]
        week = scenario()["hours"][branches()[code]["kind"]]
        if code in special and step["at"][:10] >= special[code]["reopened_on"]:
            week = scenario()["special_hours"][special[code]["hours"]]
        opens, _, closes = week[WEEKDAYS[at.weekday()]].partition("-")
        assert opens <= at.strftime("%H:%M") < closes, step["at"]


def test_there_are_enough_titles_and_copies_of_every_category_and_kind_of_branch() -> None:
    assert len(scenario()["titles"]) >= 60
    assert len(copies()) >= 150
    assert {copy["category"] for copy in copies().values()} == {"adult", "young-adult", "children"}
    assert {branches()[copy["branch"]]["kind"] for copy in copies().values()} == set(
        scenario()["hours"]
    )
    chinese = [
        title for title in scenario()["titles"] if re.search("[\u4e00-\u9fff]", title["title"])
    ]
    assert len(chinese) >= 5


@pytest.mark.parametrize("title", scenario()["titles"], ids=lambda title: title["isbn"])
def test_isbn_is_valid(title: Row) -> None:
    digits = [int(digit) for digit in title["isbn"]]
    assert len(digits) == 13
    assert title["isbn"].startswith(("978", "979"))
    assert sum(digits[0::2]) + 3 * sum(digits[1::2]) in range(0, 1000, 10)


def test_titles_and_barcodes_are_given_once() -> None:
    isbns = [title["isbn"] for title in scenario()["titles"]]
    barcodes = [copy["barcode"] for title in scenario()["titles"] for copy in title["copies"]]
    assert len(set(isbns)) == len(isbns)
    assert barcodes == [f"B{number:07d}" for number in range(1, len(barcodes) + 1)]
    for title in scenario()["titles"]:
        assert title["authors"]
        assert all(copy["price_cents"] > 0 for copy in title["copies"])


def test_patrons_and_callers_are_complete() -> None:
    data = scenario()
    people = data["patrons"] + data["callers"]
    cards = [person["card_number"] for person in people]
    assert len(data["patrons"]) >= 14
    assert len(set(cards)) == len(cards)
    assert len({person["pin"] for person in people}) == len(people)
    assert all(re.fullmatch(r"\d{6,}", person["pin"]) for person in people)
    assert {patron["category"] for patron in data["patrons"]} == {"adult", "junior"}
    assert {patron["language"] for patron in data["patrons"]} == {"en", "zh-Hant", "zh-Hans"}
    assert all(
        patron["home_branch"] in branches() and patron["story"] for patron in data["patrons"]
    )
    assert [caller["role"] for caller in data["callers"]] == [
        "staff",
        "station",
        "tracer",
        "admin",
        "ops",
    ]


def test_juniors_borrow_what_is_not_for_adults() -> None:
    juniors = {row["card_number"] for row in scenario()["patrons"] if row["category"] == "junior"}
    lent = {
        copies()[b]["category"]
        for s in steps("check-out")
        if s["card"] in juniors
        for b in s["barcodes"]
    }
    assert lent == {"children", "young-adult"}


def test_steps_are_in_order_and_of_known_verbs() -> None:
    instants = [datetime.fromisoformat(step["at"]) for step in steps()]
    assert instants == sorted(instants)
    assert all(step["at"].endswith("+08:00") for step in steps())
    assert {step["do"] for step in steps()} == set(VERBS)
    for step in steps():
        must, may = VERBS[step["do"]]
        keys = set(step) - {"at", "do", "tell", "by", "expect"}
        assert must <= keys <= must | may, step
        assert step["tell"]
        assert ("expect" in step) is (step["do"] in MUST_EXPECT), step
        if {"kinds", "branches", "all"} & (must | may):
            assert len({"kinds", "branches", "all"} & keys) == 1
            assert scope(step)


def test_everything_that_a_step_names_exists() -> None:
    data = scenario()
    cards = {patron["card_number"] for patron in data["patrons"]}
    activities = {activity["key"] for activity in data["activities"]}
    isbns = {title["isbn"] for title in data["titles"]}
    made = {step["as"] for step in steps("close", "suspend-fines")}
    for step in steps():
        assert step.get("card") is None or step["card"] in cards
        assert step.get("activity") is None or step["activity"] in activities
        assert step["do"] not in {"place-hold", "cancel-hold"} or step["title"] in isbns
        assert step.get("branch") is None or step["do"] == "expect" or step["branch"] in branches()
        assert step.get("closure", step.get("suspension")) in made | {None}
        assert step.get("channel", "desk") in {"desk", "book-drop", "station"}
        assert (step.get("by") == "station") is (
            step["do"] in {"check-out", "return"}
            and branches()[step["branch"]]["kind"] == "station"
        )
    assert {row["card"] for row in data["preferences"]} <= cards
    assert {step["activity"] for step in steps("publish-activity")} == activities
    assert set(data["show"]["accounts"]) <= cards
    assert set(data["show"]["fine_statements"]) <= set(copies())


def test_loans_are_made_at_every_kind_of_branch_and_returned_through_every_channel() -> None:
    assert {branches()[step["branch"]]["kind"] for step in steps("check-out")} == set(
        scenario()["hours"]
    )
    assert {step["channel"] for step in steps("return")} == {"desk", "book-drop", "station"}


def test_the_recording_is_refused_before_its_time_and_given_after_it() -> None:
    [talk] = [row for row in scenario()["activities"] if row["recording"]]
    assert talk["type"] == "talk"
    recording = talk["recording"]
    assert recording["available_from"] == "2020-11-20T19:00:00+08:00"
    for step in steps("ask-recording"):
        if step["at"] < recording["available_from"]:
            want = {
                "status": 403,
                "code": "not-yet-released",
                "available_from": recording["available_from"],
            }
        else:
            want = {"status": 200, "address": recording["address"]}
        assert step["expect"] == want
    assert [step["expect"]["status"] for step in steps("ask-recording")] == [403, 403, 200]
    followers = {
        row["card"] for row in scenario()["preferences"] if talk["type"] in row["activity_types"]
    }
    [release] = [step for step in steps("run-job") if step["job"] == "events/releases"]
    assert set(release["expect"]["notified"]) == followers


def test_my_info_shows_what_was_chosen_and_nothing_else() -> None:
    chosen = {row["card"]: row for row in scenario()["preferences"]}
    activities = {row["key"]: row for row in scenario()["activities"]}
    for step in steps("expect"):
        published = {s["activity"] for s in steps("publish-activity") if s["at"] <= step["at"]}
        announced = set().union(*(scope(s) for s in steps("notice") if s["at"] <= step["at"]))
        for row in step.get("my_info", ()):
            mine = chosen[row["card"]]
            if row.get("empty"):
                assert not mine["followed_branches"]
                assert not mine["activity_types"]
                continue
            assert set(row["activities"] + row["without_activities"]) <= published
            assert all(
                activities[key]["type"] in mine["activity_types"] for key in row["activities"]
            )
            assert not any(
                activities[key]["type"] in mine["activity_types"]
                for key in row["without_activities"]
            )
            assert set(row["libraries"]) <= set(mine["followed_branches"]) & announced
            assert not set(row["without_libraries"]) & set(mine["followed_branches"])


def test_the_file_equals_its_json_form_and_is_small() -> None:
    assert json.loads(json.dumps(scenario())) == scenario()
    assert FILE.stat().st_size < 200_000


def test_addresses_are_of_the_domain_for_examples() -> None:
    addresses = re.findall(r"https?://([^/\s\"]+)", FILE.read_text(encoding="utf-8"))
    assert addresses
    assert set(addresses) == {"recordings.example"}
