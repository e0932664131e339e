"""Cards: for how long they are valid, and their renewal."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Patron
from services.accounts.fields import BranchCode, OwnSettings, PathId
from services.accounts.patrons import refusals, store
from services.accounts.patrons.commands.cards import (
    delete_card_terms,
    renew_card_at_desk,
    renew_own_card,
    set_card_terms,
)
from services.accounts.patrons.routes.models import PatronOut
from services.accounts.patrons.rules import CardTerms, renewable_from
from services.accounts.refusals import NoSuchPatron
from shared import auth
from shared.audit_trail import changes_credentials, shows_patrons
from shared.auth import Staff
from shared.clock import library_day
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import Page, page_of
from shared.http.recording import Seen
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

PathCategory = Annotated[str, Path(pattern=r"^[a-z][a-z-]{0,39}$")]
ANY_RENEWAL = (
    NoSuchPatron,
    refusals.CardDoesNotExpire,
    refusals.NoCardTerms,
    refusals.CardRenewedAlready,
)
"""Refusals of a renewal by the patron or by the staff."""


class CardTermsIn(Body):
    """For how long the cards of a category of patrons are valid, and who renews them."""

    valid_months: int = Field(
        ge=1, le=1200, description="Months from the day on which a card is issued or renewed."
    )
    renewable_online: bool = Field(
        default=True, description="False: only the staff renew it, who see a document."
    )
    warn_days: int = Field(
        default=30,
        ge=0,
        le=365,
        description="Days before the last one from which the patron is warned, and may renew it.",
    )


class CardTermsOut(BaseModel):
    """The terms of the cards of a category of patrons."""

    category: str
    valid_months: int
    renewable_online: bool
    warn_days: int

    @classmethod
    def of(cls, terms: CardTerms) -> "CardTermsOut":
        """Build the response from terms."""
        return from_attributes(cls, terms, category=terms.id)


class CardTermsList(BaseModel):
    """The terms in force; cards of any other category do not expire."""

    items: list[CardTermsOut]


class CardOut(BaseModel):
    """The validity of a patron's card."""

    card_expires_on: date | None = Field(
        description="Last day on which the card is valid; null: it does not expire."
    )
    expired: bool
    renewable_online: bool = Field(description="True: the patron may renew it without the staff.")
    renewable_from: date | None = Field(
        description="First day on which the patron may renew it; null: never, or it does not "
        "expire."
    )

    @classmethod
    def of(cls, patron: Patron, terms: CardTerms | None, today: date) -> "CardOut":
        """Build the response from a patron and the terms of the category."""
        last = patron.card_expires_on
        online = terms is not None and terms.renewable_online
        first = renewable_from(terms, last) if terms and online and last else None
        return cls(
            card_expires_on=last,
            expired=last is not None and today > last,
            renewable_online=online,
            renewable_from=first,
        )


class OwnCardOut(CardOut):
    """A patron's own card, as a self-check machine reads it."""

    card_number: str


class CardRenewalIn(Body):
    """The patron's own declaration."""

    address_unchanged: bool = Field(
        description="True: the patron declares that their address has not changed."
    )


MOST_CARDS = 1000
"""Cards at which counting ends, and the longest page of them."""
AHEAD = timedelta(days=30)


async def _days(
    now: BusinessTime,
    settings: OwnSettings,
    first: Annotated[Day | None, Query(description="First day of expiry; null: today.")] = None,
    last: Annotated[
        Day | None, Query(description="Last day of expiry; null: 30 days after the first.")
    ] = None,
) -> tuple[date, date]:
    begin = first or library_day(now, settings.zone)
    return begin, last or begin + AHEAD


ByDays = Annotated[tuple[date, date], Depends(_days)]
ByHome = Annotated[BranchCode, Query(description="Code of the patrons' home library.")]


class ExpiringCards(BaseModel):
    """A page of patrons by the day on which their cards expire."""

    items: list[PatronOut]
    next: str | None


class CardCount(BaseModel):
    """The number of cards of a home library that expire in some days."""

    branch: str
    most: int = Field(description="Cards are counted up to this; a greater number means more.")
    count: int


@router.get("/expiring-cards", tags=["patrons"])
@shows_patrons
async def get_expiring(
    branch: ByHome,
    days: ByDays,
    _caller: Staff,
    db: Db,
    *,
    seen: Seen,
    limit: Annotated[int, Query(ge=1, le=MOST_CARDS, description="Maximum number of items.")] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="`next` of the previous page.")
    ] = None,
) -> ExpiringCards:
    """List the patrons of a home library whose cards expire in some days, or have expired."""
    found = await cardholders_store.find_expiring_at(db, branch, days, limit, after)
    page = page_of(
        found, Page(limit, after), lambda each: f"{each[0].card_expires_on} {each[0].id}"
    )
    seen += [patron.id for patron, _ in page["items"]]
    items = [PatronOut.of(*each) for each in page["items"]]
    return ExpiringCards(items=items, next=page["next"])


@router.get("/expiring-cards/count", tags=["patrons"])
async def get_expiring_count(branch: ByHome, days: ByDays, _caller: Staff, db: Db) -> CardCount:
    """Count these patrons."""
    count = await cardholders_store.count_expiring_at(db, branch, days, MOST_CARDS)
    return CardCount(branch=branch, most=MOST_CARDS, count=count)


@router.get("/card-terms", tags=["patrons"])
async def get_card_terms(_caller: Staff, db: Db) -> CardTermsList:
    """List for how long the cards of each category are valid."""
    return CardTermsList(items=[CardTermsOut.of(terms) for terms in await store.find_terms(db)])


@router.put("/card-terms/{category}", tags=["patrons"])
async def put_card_terms(
    category: PathCategory, body: CardTermsIn, caller: Staff, run: Run
) -> CardTermsOut:
    """Set the terms of a category, for cards that are issued or renewed from now on."""
    return CardTermsOut.of(await run(set_card_terms, CardTerms(id=category, **body.model_dump())))


@router.delete("/card-terms/{category}", status_code=204, tags=["patrons"])
@refuses(refusals.NoCardTerms)
async def remove_card_terms(category: PathCategory, caller: Staff, run: Run) -> None:
    """Delete the terms of a category: new cards do not expire. Those with an expiry keep it."""
    await run(delete_card_terms, category)


@router.get("/me/card", tags=["patrons"])
@refuses(NoSuchPatron)
async def get_own_card(
    caller: auth.Patron, db: Db, now: BusinessTime, settings: OwnSettings
) -> OwnCardOut:
    """Get the patron's own card: its number, its validity, and whether they may renew it."""
    patron, holder = await cardholders_store.find_patron_and_holder(db, caller.id)
    terms = await store.find_terms_of(db, patron.category)
    card = CardOut.of(patron, terms, library_day(now, settings.zone))
    return OwnCardOut(**dict(card), card_number=holder.card_number)


@router.post("/me/card/renewal", tags=["patrons"])
@refuses(*ANY_RENEWAL, refusals.RenewAtLibrary, refusals.AddressChanged, refusals.CardNotDue)
@changes_credentials
async def post_own_renewal(
    body: CardRenewalIn, caller: auth.Patron, run: Run, settings: OwnSettings
) -> CardOut:
    """Renew the patron's own card: on the last days before its expiry, or after it.

    The new period counts from today or from the former expiry, whichever is later.
    """
    today = library_day(run.now, settings.zone)
    patron = await run(renew_own_card, caller.id, today, address_unchanged=body.address_unchanged)
    return CardOut.of(patron, await store.find_terms_of(run.database, patron.category), today)


@router.post("/patrons/{patron_id}/card/renewal", tags=["patrons"])
@refuses(*ANY_RENEWAL)
async def post_renewal(
    patron_id: PathId, caller: Staff, run: Run, settings: OwnSettings
) -> CardOut:
    """Renew a patron's card at the desk, at any time."""
    today = library_day(run.now, settings.zone)
    patron = await run(renew_card_at_desk, patron_id, today)
    return CardOut.of(patron, await store.find_terms_of(run.database, patron.category), today)
