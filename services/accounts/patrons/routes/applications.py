"""Self-registration: guests apply for a provisional card, which staff turn into a full one."""

import secrets
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from services.accounts.cardholders import store as cardholders_store
from services.accounts.fields import (
    BranchCode,
    CardNumber,
    Language,
    Name,
    NewPin,
    OwnSettings,
    PathId,
    Secret,
)
from services.accounts.patrons import refusals, store
from services.accounts.patrons.commands.applications import (
    ConfirmApplication,
    Stranger,
    Verify,
    apply_for_card,
    check_may_apply,
    confirm_application,
    verify_patron,
)
from services.accounts.patrons.routes.models import BirthDate, PatronOut
from services.accounts.patrons.rules import APPLICATION, CODE_HOURS, new_application
from services.accounts.pins.commands import new_pin_hash
from services.accounts.pins.refusals import EASY_PINS
from services.accounts.pins.rules import derived_code
from services.accounts.preferences.queries import check_branch
from services.accounts.preferences.refusals import NoSuchBranch
from services.accounts.refusals import CardTaken, NoSuchPatron
from services.accounts.settings import Settings
from services.accounts.sign_in.commands.confirm_pin import limits_of
from services.accounts.sign_in.rules import stranger_at
from shared.auth import OtherService, Staff
from shared.clock import library_day, wall_clock
from shared.email_address import EmailAddress
from shared.http.bodies import Body
from shared.http.client_address import caller_at, client_address
from shared.http.dependencies import Db, Run
from shared.ids import card_digest, new_id
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

ApplicationId = Annotated[str, Path(max_length=64)]


class ApplicationIn(Body):
    """A guest who wants a library card."""

    name: Name
    born_on: BirthDate
    email: EmailAddress
    pin: NewPin
    home_branch: BranchCode
    language: Language


class ApplicationOut(BaseModel):
    """An application; it says nothing about the address."""

    id: str
    expires_in: int = Field(description="Seconds for which its code can be used.")


class ConfirmedIn(Body):
    """The code from the e-mail."""

    application_code: Secret = Field(min_length=1, max_length=32)


class ProvisionalCardOut(BaseModel):
    """A provisional card, with which its holder can log in."""

    card_number: str
    card_expires_on: date | None


class ApplicantCodeOut(BaseModel):
    """The code for one e-mail to an applicant, which its sender stores nowhere."""

    address: str | None = Field(description="Null: the code can no longer be used.")
    code: str | None = Field(description="Code to confirm the address.")
    language: str


class VerificationIn(Body):
    """The staff have seen a document of the patron."""

    card_number: CardNumber | None = Field(
        default=None, description="Number of the card that replaces the provisional one."
    )


def _stranger(request: Request, settings: Settings) -> Stranger:
    network = caller_at(client_address(request.scope))
    return Stranger(stranger_at(network, settings.device_keys), limits_of(settings))


@router.post("/card-applications", status_code=202, tags=["patrons"])
@refuses(refusals.SelfRegistrationOff, refusals.TooManyApplications, NoSuchBranch, *EASY_PINS)
async def post_application(
    body: ApplicationIn, request: Request, run: Run, settings: OwnSettings
) -> ApplicationOut:
    """Apply for a card without a visit. A code is sent to the address, to be entered within a day.

    The answer is the same whether or not the address is known. A library allows this by setting the
    card terms of the category `provisional`.
    """
    digest = card_digest(f"e-mail {body.email.casefold()}", settings.card_key)
    await check_may_apply(run, _stranger(request, settings), digest)
    await check_branch(run, body.home_branch)
    application = new_application(
        new_id(),
        name=body.name,
        born_on=body.born_on,
        email=body.email,
        address_digest=digest,
        pin_hash=await new_pin_hash(body.pin.get_secret_value(), "", body.born_on),
        home_branch=body.home_branch,
        language=body.language,
        at=wall_clock(),
    )
    await run(apply_for_card, application)
    return ApplicationOut(id=application.id, expires_in=CODE_HOURS * 3600)


@router.put("/card-applications/{application_id}", tags=["patrons"])
@refuses(
    refusals.WrongApplicationCode,
    refusals.TooManyApplications,
    refusals.SelfRegistrationOff,
    refusals.OneCardForAddress,
    CardTaken,
)
async def put_application(
    application_id: ApplicationId,
    body: ConfirmedIn,
    request: Request,
    run: Run,
    settings: OwnSettings,
) -> ProvisionalCardOut:
    """Confirm the address with the code, and get a provisional card. Repeating it changes nothing.

    After five wrong tries the code is dead.
    """
    card_number = f"R{secrets.randbelow(10**9):09}"
    command = ConfirmApplication(
        application_id,
        code=body.application_code.get_secret_value(),
        card_number=card_number,
        card_digest=card_digest(card_number, settings.card_key),
        on=library_day(run.now, settings.zone),
        at=wall_clock(),
    )
    patron, holder = await confirm_application(
        run, command, _stranger(request, settings), settings.reset_keys
    )
    return ProvisionalCardOut(
        card_number=holder.card_number, card_expires_on=patron.card_expires_on
    )


@router.get("/applicant-codes/{application_id}", tags=["patrons"])
async def get_applicant_code(
    application_id: ApplicationId, _caller: OtherService, db: Db, settings: OwnSettings
) -> ApplicantCodeOut:
    """Get the code of an application, and the address to send it to, for one message."""
    found = await store.find_unconfirmed(db, application_id, wall_clock())
    code = derived_code(APPLICATION, application_id, settings.reset_keys) if found else None
    return ApplicantCodeOut(
        address=found.email if found and code else None,
        code=code,
        language=found.language if found else "en",
    )


@router.post("/patrons/{patron_id}/verification", tags=["patrons"])
@refuses(NoSuchPatron, refusals.NotProvisional, CardTaken)
async def post_verification(
    patron_id: PathId,
    body: VerificationIn,
    *,
    caller: Staff,
    run: Run,
    db: Db,
    settings: OwnSettings,
) -> PatronOut:
    """Turn a provisional card into a full one, of the category by age: a document was shown."""
    digest = card_digest(body.card_number, settings.card_key) if body.card_number else None
    command = Verify(
        patron_id,
        library_day(run.now, settings.zone),
        settings.adult_age,
        card_number=body.card_number,
        card_digest=digest,
    )
    await run(verify_patron, command)
    return PatronOut.of(*await cardholders_store.find_patron_and_holder(db, patron_id))
