"""Patrons: register, find, change, block and erase."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from services.accounts.cardholders import store as cardholders_store
from services.accounts.fields import (
    OwnSettings,
    PathId,
    PostalAddressOut,
    digest_of,
)
from services.accounts.patrons.commands.erasure import erase_settled
from services.accounts.patrons.commands.records import (
    AmendPatron,
    PersonalChanges,
    RegisterPatron,
    amend_patron,
    block_patron,
    register_patron,
    unblock_patron,
)
from services.accounts.patrons.refusals import AlreadyBlocked, NotBlocked, NotSettled
from services.accounts.patrons.routes.models import (
    PatronChanges,
    PatronCheckIn,
    PatronCheckOut,
    PatronIn,
    PatronOut,
    PatronRef,
)
from services.accounts.pins.commands import new_pin_hash
from services.accounts.pins.refusals import EASY_PINS
from services.accounts.preferences.queries import addressees, check_branch
from services.accounts.preferences.refusals import NoSuchBranch
from services.accounts.refusals import CardTaken, NoSuchPatron
from services.accounts.sign_in.commands.confirm_pin import record_failure
from services.accounts.sign_in.commands.log_in import confirmed_holder
from services.accounts.sign_in.refusals import BadCredentials, Locked, StrangersWait
from services.accounts.sign_in.routes import CardIn
from shared import auth
from shared.audit_trail import shows_patrons
from shared.auth import (
    DeskOrService,
    OtherService,
    PatronStaffOrService,
    Staff,
    Verifying,
    may_see,
)
from shared.clock import library_day
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.http.recording import Seen
from shared.ids import card_digest
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class PatronPage(BaseModel):
    """The patrons found: at most one, because a card belongs to one patron."""

    items: list[PatronOut | PatronRef]
    next: None = None


class BlockIn(Body):
    """The reason for blocking or unblocking a patron, in the staff's words."""

    reason: str = Field(min_length=1, max_length=500)


def _view(caller: auth.Caller) -> type[PatronOut] | type[PatronRef]:
    """Return the class of response for a caller: stations and services get no personal data."""
    return PatronOut if caller.roles & {"staff", "patron"} else PatronRef


@router.post("/patrons", status_code=201, tags=["patrons"])
@refuses(CardTaken, NoSuchBranch, *EASY_PINS)
async def post_patron(
    body: PatronIn, caller: Staff, run: Run, db: Db, settings: OwnSettings
) -> PatronOut:
    """Register a patron."""
    await check_branch(run, body.home_branch)
    patron = await run(
        register_patron,
        RegisterPatron(
            card_number=body.card_number,
            card_digest=card_digest(body.card_number, settings.card_key),
            pin_hash=await new_pin_hash(
                body.pin.get_secret_value(), body.card_number, body.born_on
            ),
            name=body.name,
            category=body.category,
            home_branch=body.home_branch,
            language=body.language,
            email=body.contact.email,
            phone=body.contact.phone,
            postal_address=body.contact.postal,
            born_on=body.born_on,
            card_expires_on=body.card_expires_on,
            valid_from=library_day(run.now, settings.zone),
        ),
    )
    _, holder = await cardholders_store.find_patron_and_holder(db, patron.id)
    return PatronOut.of(patron, holder)


@router.get("/patrons", tags=["patrons"])
@shows_patrons
async def get_patrons(
    card: Annotated[str, Query(min_length=1, max_length=64)],
    caller: DeskOrService,
    db: Db,
    settings: OwnSettings,
    seen: Seen,
) -> PatronPage:
    """Find the patron who has a card; stations and services get a PatronRef."""
    found = await cardholders_store.find_patron_with_card(db, await digest_of(db, settings, card))
    if found is None:
        return PatronPage(items=[])
    seen.append(found[0].id)
    return PatronPage(items=[_view(caller).of(*found)])


CHECKS = "/v1/patron-checks"


@router.post("/patron-checks", tags=["patrons"])
@refuses(NoSuchPatron, Locked, StrangersWait)
@shows_patrons
async def post_check(
    body: PatronCheckIn,
    request: Request,
    caller: Verifying,
    run: Run,
    settings: OwnSettings,
    *,
    seen: Seen,
) -> PatronCheckOut:
    """Check a card, and the PIN if one was typed, without a session and without personal data.

    Wrong PINs count for this station and this card: 5 in 15 minutes, 20 a day, and 300 an hour with
    all cards together.
    """
    right = None
    if body.pin is not None:
        typed = CardIn(card_number=body.card_number, pin=body.pin)
        attempt = await typed.attempt(request, run.database, settings)
        try:
            await confirmed_holder(run.database, settings, attempt)
            right = True
        except BadCredentials as refusal:
            await record_failure(
                run, attempt.card_digest, attempt.address, refusal, f"POST {CHECKS}"
            )
            right = False
    card = await digest_of(run.database, settings, body.card_number)
    found = await cardholders_store.find_patron_with_card(run.database, card)
    if found is None:
        raise NoSuchPatron
    seen.append(found[0].id)
    return PatronCheckOut(
        status=found[0].status,
        blocked_by=found[0].blocked_by,
        card_expires_on=found[0].card_expires_on,
        pin_is_right=right,
    )


class PatronSearch(Body):
    """The text of a search for patrons."""

    text: str = Field(
        min_length=2,
        max_length=200,
        description="Words of the name, an e-mail address, or at least the last four digits of a "
        "telephone number. Each word may be the beginning of one.",
    )


class FoundPatrons(BaseModel):
    """The first patrons that a search found, in the order of their names."""

    items: list[PatronOut]


MOST_FOUND = 20
"""Most patrons that a search shows: a longer list asks for another word."""


@router.post("/patron-searches", tags=["patrons"])
@shows_patrons
async def post_search(body: PatronSearch, _caller: Staff, db: Db, seen: Seen) -> FoundPatrons:
    """Find patrons by name, e-mail address or telephone number.

    The text is in the body, so that no log of addresses has it.
    """
    found = await cardholders_store.search(db, body.text, MOST_FOUND)
    seen += [patron.id for patron, _ in found]
    return FoundPatrons(items=[PatronOut.of(*each) for each in found])


@router.get("/patrons/{patron_id}", tags=["patrons"])
@refuses(NoSuchPatron)
@shows_patrons
async def get_patron(
    patron_id: PathId, caller: PatronStaffOrService, db: Db
) -> PatronOut | PatronRef:
    """Get a patron; services get a PatronRef. An erased patron is not found."""
    if not may_see(caller, patron_id):
        raise NoSuchPatron
    return _view(caller).of(*await cardholders_store.find_patron_and_holder(db, patron_id))


@router.patch("/patrons/{patron_id}", tags=["patrons"])
@refuses(NoSuchPatron, NoSuchBranch, CardTaken, *EASY_PINS)
async def patch_patron(
    patron_id: PathId,
    body: PatronChanges,
    *,
    caller: Staff,
    run: Run,
    db: Db,
    settings: OwnSettings,
) -> PatronOut:
    """Change a patron's data. A new PIN or card ends the patron's sessions.

    The patron is told of a new PIN, card, telephone number, e-mail or postal address. An e-mail
    address that replaces another is used once the patron has confirmed it with the code that is
    sent there.
    """
    if body.home_branch is not None:
        present = await cardholders_store.find_patron(db, patron_id)
        if present is not None and body.home_branch != present.home_branch:  # an imported one stays
            await check_branch(run, body.home_branch)
    patron = await run(
        amend_patron,
        AmendPatron(
            patron_id=patron_id,
            category=body.category,
            home_branch=body.home_branch,
            language=body.language,
            personal=_personal(body),
            card_number=body.card_number,
            card_digest=(
                card_digest(body.card_number, settings.card_key) if body.card_number else None
            ),
            pin_hash=await _new_pin(db, patron_id, body),
            sets_expiry="card_expires_on" in body.model_fields_set,
            card_expires_on=body.card_expires_on,
        ),
    )
    _, holder = await cardholders_store.find_patron_and_holder(db, patron_id)
    return PatronOut.of(patron, holder)


def _personal(body: PatronChanges) -> PersonalChanges:
    changes = PersonalChanges()
    if body.name is not None:
        changes["name"] = body.name
    if "born_on" in body.model_fields_set:
        changes["born_on"] = body.born_on
    if body.contact and "email" in body.contact.model_fields_set:
        changes["email"] = body.contact.email
    if body.contact and "phone" in body.contact.model_fields_set:
        changes["phone"] = body.contact.phone
    if body.contact and "postal_address" in body.contact.model_fields_set:
        changes["postal_address"] = body.contact.postal
    return changes


async def _new_pin(db: Db, patron_id: str, body: PatronChanges) -> str | None:
    if body.pin is None:
        return None
    _, holder = await cardholders_store.find_patron_and_holder(db, patron_id)
    born_on = body.born_on if "born_on" in body.model_fields_set else holder.born_on
    card_number = body.card_number or holder.card_number
    return await new_pin_hash(body.pin.get_secret_value(), card_number, born_on)


@router.delete("/patrons/{patron_id}", tags=["patrons"])
@refuses(NoSuchPatron, NotSettled)
async def delete_patron(patron_id: PathId, caller: Staff, run: Run) -> PatronRef:
    """Erase a patron; the response is the tombstone.

    A patron who has items on loan, owes money or is owed money is not erased: the problem says what
    is open in `open_loans`, `outstanding_cents` and `refund_due_cents`. Open holds are cancelled.
    After a 503 the erasure may still be finished, by a job.
    """
    return PatronRef.of(await erase_settled(run, patron_id))


@router.post("/patrons/{patron_id}/block", tags=["patrons"])
@refuses(NoSuchPatron, AlreadyBlocked)
async def post_block(
    patron_id: PathId, body: BlockIn, caller: Staff, run: Run, db: Db
) -> PatronOut:
    """Stop a patron from borrowing, renewing and reserving, and end their sessions."""
    patron = await run(block_patron, patron_id, body.reason)
    _, holder = await cardholders_store.find_patron_and_holder(db, patron_id)
    return PatronOut.of(patron, holder)


@router.post("/patrons/{patron_id}/unblock", tags=["patrons"])
@refuses(NoSuchPatron, NotBlocked)
async def post_unblock(
    patron_id: PathId, body: BlockIn, caller: Staff, run: Run, db: Db
) -> PatronOut:
    """Let a patron whom the staff blocked borrow again."""
    patron = await run(unblock_patron, patron_id, body.reason)
    _, holder = await cardholders_store.find_patron_and_holder(db, patron_id)
    return PatronOut.of(patron, holder)


class PostalQuery(Body):
    """The patrons to whom letters are to be written."""

    patron_ids: tuple[Annotated[str, StringConstraints(max_length=64)], ...] = Field(max_length=500)


class AddresseeOut(BaseModel):
    """The name and address for a letter. The service that prints it stores them nowhere."""

    patron_id: str
    name: str
    by_email: bool = Field(description="True: e-mails reach the patron, who has chosen them.")
    postal_address: PostalAddressOut | None


class AddresseesOut(BaseModel):
    """The patrons that are found; an erased one is not."""

    items: list[AddresseeOut]


@router.post("/postal-addresses", tags=["patrons"])
async def post_postal_query(body: PostalQuery, _caller: OtherService, db: Db) -> AddresseesOut:
    """Get the names and postal addresses for letters to some patrons. It changes nothing."""
    found = await addressees(db, body.patron_ids)
    return AddresseesOut(
        items=[
            AddresseeOut(
                patron_id=holder.id,
                name=holder.name,
                by_email=by_email,
                postal_address=PostalAddressOut.of(holder.postal_address),
            )
            for holder, by_email in found
        ]
    )
