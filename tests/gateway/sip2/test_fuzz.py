"""Random messages: no exception, no other answer than the protocol has, whatever the owners say."""

import os
import random
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from services.gateway.settings import Settings, Station
from services.gateway.sip2 import connections
from services.gateway.sip2.api import Api, StationAccount, StationAccounts
from services.gateway.sip2.connections import Conversation
from services.gateway.sip2.messages import ANSWERS, MOST_BYTES, REQUESTS, checksum
from services.gateway.sip2.terminal import Terminal
from services.gateway.web.api import Reply
from shared.auth import Verifier
from tests.support import test_keys

MESSAGES = int(os.environ.get("CARREL_STORIES", "4000"))
COPY = {
    "title_id": "t1",
    "branch": "HKCL",
    "state": "on-shelf",
    "at_branch": "HKCL",
    "bound_for": None,
    "hold_id": "h1",
    "volume": None,
    "call_number": {"number": "823.92 WON"},
    "collection": None,
}
LOAN = {"id": "l1", "barcode": "K1", "due_on": "2026-12-09", "due_at": None, "overdue": True}
HOLD = {
    "id": "h1",
    "title_id": "t1",
    "title": None,
    "state": "ready",
    "position": 1,
    "pickup_branch": "HKCL",
}
ACCOUNT: dict[str, Any] = {
    "patron": {
        "name": "陳大文",
        "status": "blocked",
        "blocked_by": ["money"],
        "card_expires_on": "2026-12-01",
        "category": "adult",
        "home_branch": "HKCL",
    },
    "loans": [LOAN] * 300,
    "holds": [HOLD, {**HOLD, "state": "waiting", "title": "A|B\rBLN"}],
    "charges": [{"id": "c1", "outstanding_cents": 1250, "title": None, "kind": "fine"}],
    "totals": {"outstanding_cents": 1250},
}
SESSION = {
    "access_token": "a",
    "renewal_token": "r",
    "expires_in": 600,
    "patron_id": "p1",
    "roles": ["station"],
}
EFFECT = {"loan_id": "l1", "fine_cents": 600}
RESULT = {
    "ok": True,
    "loan": LOAN,
    "loan_id": "l1",
    "copy": COPY,
    "problem": None,
    "effect": EFFECT,
}
REFUSED = {**RESULT, "ok": False, "problem": {"code": "copy-on-loan", "detail": "On loan."}}
GIVEN: dict[str, Any] = {
    "sessions": SESSION,
    "renewal": SESSION,
    "me": ACCOUNT,
    "patron-checks": {**ACCOUNT["patron"], "pin_is_right": True},
    "item": {
        "copy": COPY,
        "title": {"id": "t1", "title": "西遊記", "kind": "book"},
        "due_on": "2026-12-09",
        "due_at": None,
        "waiting": 3,
    },
    "checkouts": {"results": [RESULT]},
    "returns": {"results": [REFUSED]},
    "undo": {"copy": COPY, "loan": LOAN},
    "renewals": {"results": [RESULT, REFUSED], "loan": LOAN, "fine_cents": 600},
    "holds": {**HOLD, "items": [HOLD]},
    "payments": {"id": "y1", "amount_cents": 1250},
    "limits": {"most_loans": 10, "most_holds": 8, "most_owed_cents": 0, "at_loan_limit": True},
    "contact": {"postal_address": None, "email": "a|b@example.org", "phone": None},
}
"""Answers of the owners, by the last part of the path."""


class Owners(Api):
    """Calls that are answered at random: done, refused, too many or away."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._accounts = StationAccounts()
        self._app = FastAPI()
        self._app.state.verifier = Verifier(test_keys)
        self.settings = Settings(simulation=True)
        self.account = self.patron = None
        self.time = ""

    async def call(self, method: str, path: str, body: Any = None, **_: Any) -> Reply:
        status = self.dice.choice((200, 200, 200, 200, 200, 401, 404, 409, 422, 429, 503))
        name = path.partition("?")[0].rpartition("/")[2]
        if status == 200:
            return Reply(200, orjson.dumps(GIVEN.get(name, GIVEN["holds"])))
        return Reply(status, orjson.dumps({"code": "refused", "detail": "No|\r"}))


def valid(dice: random.Random) -> bytes:
    """Return a message of the protocol with fields at random."""
    code = dice.choice(tuple(REQUESTS))
    date = dice.choice(("20261125    120110", "20261125   Z120110", " " * 18, "99999999    999999"))
    text = code
    for width in REQUESTS[code].fixed.values():
        drawn = "".join(dice.choice("YN 01+-*") for _ in range(width))
        text += date if width == 18 and dice.random() < 0.8 else drawn
    for name in dice.sample(
        ("AA", "AB", "AD", "AO", "BI", "BO", "BV", "CG", "BP", "BQ", "CN", "CO"), 8
    ):
        text += f"{name}{dice.choice(('', '1', 'Y', 'K1', '12.50', '西', 'x' * 300))}|"
    return text.encode(dice.choice(("utf-8", "utf-16")), "replace")


def broken(dice: random.Random, message: bytes) -> bytes:
    """Return a message after some damage."""
    found = bytearray(message)
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(4):
            case 0:
                del found[at : at + dice.randrange(20)]
            case 1:
                found[at:at] = dice.randbytes(dice.randrange(20))
            case 2:
                found[at:at] = b"|AB" + b"9" * dice.randrange(600)
            case _:
                found[at:at] = found[: dice.randrange(40)]
    return bytes(found).replace(b"\r", b"")[:MOST_BYTES]


def check(answer: bytes) -> None:
    assert answer.endswith(b"\r")
    assert answer.count(b"\r") == 1
    assert len(answer) <= MOST_BYTES
    line = answer[:-1]
    head, tail, sent = line.rpartition(b"AZ")
    if tail and len(sent) == 4:
        assert checksum(head + tail).encode() == sent
    if not line.startswith(b"96"):
        layout = ANSWERS[line[:2].decode()]
        assert len(line) >= 2 + sum(layout.fixed.values())


@pytest.mark.parametrize("encoding", ["utf-8", "cp850"])
async def test_no_message_causes_an_exception(
    encoding: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(MESSAGES)  # noqa: S311 - no secret

    def failed(*_: Any, **__: Any) -> None:
        raise AssertionError("a handler failed") from None

    monkeypatch.setattr(connections.log, "exception", failed, raising=False)
    account = StationAccount(frozenset({"station"}), "a", "r", 1e12)
    asked = 0
    while asked < MESSAGES // 2:
        terminal = Terminal(Owners(dice), "kiosk", Station(encoding=encoding), "HKCL")
        terminal.api.account = account
        talk = Conversation(terminal)
        answer: bytes | None = b""
        while answer is not None and asked < MESSAGES // 2:
            message = valid(dice)
            if dice.random() < 0.5:
                message += f"AY{asked % 10}AZ".encode()
                message += checksum(message).encode()
            if dice.random() < 0.4:
                message = broken(dice, message)
            answer = await talk.answer(message)
            asked += 1
            if answer is not None:
                check(answer)
