"""Routes of accounts.

Security goes by the wall clock, never by Carrel-Time, so that a header can't lengthen a token's
life or lift a lock.
"""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from services.accounts import queries
from services.accounts.domain.cardholder import (
    Cardholder,
    Role,
    acceptable_card,
    acceptable_pin,
    normal_card,
)
from services.accounts.domain.patron import BlockedBy, Patron, Status
from services.accounts.domain.preferences import Setting
from services.accounts.domain.refusals import NoSuchPatron
from services.accounts.settings import Settings
from services.accounts.usecases.add_staff import AddStaff, add_staff
from services.accounts.usecases.admit_service import AdmitService, admit_service
from services.accounts.usecases.amend_patron import AmendPatron, Contact, amend_patron
from services.accounts.usecases.block_patron import BlockPatron, block_patron
from services.accounts.usecases.check_pin import hash_pin
from services.accounts.usecases.choose_preferences import ChoosePreferences, choose_preferences
from services.accounts.usecases.erase_patron import ErasePatron, erase_patron
from services.accounts.usecases.log_in import LogIn, log_in
from services.accounts.usecases.publish_keys import public_keys
from services.accounts.usecases.register_patron import RegisterPatron, register_patron
from services.accounts.usecases.rotate_keys import RotateKeys, rotate_keys
from services.accounts.usecases.sign_token import Session
from services.accounts.usecases.unblock_patron import UnblockPatron, unblock_patron
from shared import auth
from shared.auth import DeskOrService, Ops, PatronOrStaff, Staff, may_see
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.ids import card_digest

router = APIRouter(prefix="/v1")


# ---- bodies of requests and responses -----------------------------------------------------------


def _checked_card(card_number: str) -> str:
    if not acceptable_card(card_number):
        raise ValueError("a card number has 3 to 40 characters of ASCII")
    return normal_card(card_number)


def _checked_pin(pin: SecretStr) -> SecretStr:
    if not acceptable_pin(pin.get_secret_value()):
        raise ValueError("a PIN has 6 to 64 printable characters")
    return pin


def _checked_secret(secret: SecretStr) -> SecretStr:
    # JSON can hold a lone UTF-16 surrogate. SecretStr accepts it, but it can't be encoded.
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("not a text") from None
    return secret


Secret = Annotated[SecretStr, AfterValidator(_checked_secret)]
CardNumber = Annotated[str, AfterValidator(_checked_card)]
NewPin = Annotated[SecretStr, AfterValidator(_checked_pin)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]
Language = Literal["en", "zh-Hant", "zh-Hans"]
Channel = Literal["inbox", "email", "sms"]
ActivityType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
PatronId = Annotated[str, Path(max_length=64)]


class ContactIn(Body):
    """A patron's e-mail address and telephone number; they replace those on file."""

    email: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    phone: str | None = Field(default=None, max_length=30, pattern=r"^[0-9 +()-]{3,}$")


class PatronIn(Body):
    """A new patron."""

    card_number: CardNumber
    pin: NewPin
    name: Name
    category: Category
    home_branch: BranchCode
    language: Language
    contact: ContactIn = ContactIn()


class PatronChanges(Body):
    """The fields of a patron to change; an absent or null field stays as it is."""

    card_number: CardNumber | None = Field(
        default=None, description="Number of the card that replaces the patron's card."
    )
    pin: NewPin | None = None
    name: Name | None = None
    category: Category | None = None
    home_branch: BranchCode | None = None
    language: Language | None = None
    contact: ContactIn | None = None


class ContactOut(BaseModel):
    """A patron's e-mail address and telephone number."""

    email: str | None
    phone: str | None


class PatronOut(BaseModel):
    """A patron with personal data: for staff, and for the patron."""

    id: str
    card_number: str
    name: str
    category: str
    home_branch: str
    language: str
    status: Status
    blocked_by: tuple[BlockedBy, ...] = Field(
        description="Reasons for the block: `staff` (blocked by staff), `money` (the patron owes "
        "too much); empty: not blocked."
    )
    version: int
    contact: ContactOut
    status_reason: str | None = None

    @classmethod
    def of(cls, patron: Patron, holder: Cardholder) -> "PatronOut":
        """Build the response from a patron and their cardholder."""
        return cls(
            id=patron.id,
            card_number=holder.card_number,
            name=holder.name,
            category=patron.category,
            home_branch=patron.home_branch,
            language=patron.language,
            status=patron.status,
            blocked_by=patron.blocked_by,
            version=patron.version,
            contact=ContactOut(email=holder.email, phone=holder.phone),
            status_reason=holder.status_reason,
        )


class PatronRef(BaseModel):
    """A patron without personal data: for stations and services."""

    id: str
    category: str
    home_branch: str
    language: str
    status: Status
    blocked_by: tuple[BlockedBy, ...]
    card_digest: str
    version: int

    @classmethod
    def of(cls, patron: Patron, _: Cardholder | None = None) -> "PatronRef":
        """Build the response from a patron."""
        return cls(
            id=patron.id,
            category=patron.category,
            home_branch=patron.home_branch,
            language=patron.language,
            status=patron.status,
            blocked_by=patron.blocked_by,
            card_digest=patron.card_digest,
            version=patron.version,
        )


class PatronPage(BaseModel):
    """The patrons found: at most one, because a card belongs to one patron."""

    items: list[PatronOut | PatronRef]
    next: None = None


class BlockIn(Body):
    """The reason for blocking or unblocking a patron, in the staff's words."""

    reason: str = Field(min_length=1, max_length=500)


class SessionIn(Body):
    """A card and its PIN."""

    card_number: str = Field(min_length=1, max_length=64)
    pin: Secret = Field(min_length=1, max_length=64)


class ServiceSessionIn(Body):
    """The name of a service and the secret that the services share."""

    service: Literal["circulation", "events", "notices", "gateway"]
    secret: Secret = Field(max_length=200)


class SessionOut(BaseModel):
    """A token to send as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int = Field(description="Lifetime of the token, in seconds.")
    patron_id: str | None = Field(
        description="Id of the patron; null: the token is for staff, a station, an operator or a "
        "service."
    )
    roles: list[str]

    @classmethod
    def of(cls, session: Session) -> "SessionOut":
        """Build the response from a session."""
        return cls(
            access_token=session.access_token,
            expires_in=session.expires_in,
            patron_id=session.patron_id,
            roles=list(session.roles),
        )


class StaffIn(Body):
    """A new account of staff, a station or an operator."""

    card_number: CardNumber
    pin: NewPin
    name: Name
    role: Literal["staff", "station", "ops"]


class StaffOut(BaseModel):
    """An account of staff, a station or an operator."""

    id: str
    card_number: str
    name: str
    role: Role


class PreferencesIn(Body):
    """The fields of My Setting to change; an absent or null field stays as it is."""

    followed_branches: tuple[BranchCode, ...] | None = Field(default=None, max_length=100)
    activity_types: tuple[ActivityType, ...] | None = Field(default=None, max_length=50)
    language: Language | None = None
    channels: tuple[Channel, ...] | None = Field(
        default=None,
        max_length=10,
        description="Channels of notifications; `inbox` is always included.",
    )
    keep_history: bool | None = None


class PreferencesOut(BaseModel):
    """My Setting."""

    followed_branches: tuple[str, ...]
    activity_types: tuple[str, ...]
    language: str
    channels: tuple[str, ...]
    keep_history: bool
    reachable_by: tuple[str, ...] = Field(
        description="Channels with an address on file, besides `inbox`."
    )
    version: int = Field(
        description="Version of the preferences; 0: the patron has not chosen any yet."
    )

    @classmethod
    def of(cls, setting: Setting) -> "PreferencesOut":
        """Build the response from the preferences and the language in force."""
        preferences = setting.preferences
        return cls(
            followed_branches=preferences.followed_branches,
            activity_types=preferences.activity_types,
            language=setting.language,
            channels=preferences.channels,
            keep_history=preferences.keep_history,
            reachable_by=setting.reachable_by,
            version=preferences.version,
        )


class PublicKeyOut(BaseModel):
    """A key that verifies tokens, as a JWK."""

    kty: str = Field(examples=["OKP"])
    crv: str = Field(examples=["Ed25519"])
    x: str = Field(examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])
    kid: str


class KeysOut(BaseModel):
    """A JWK set."""

    keys: list[PublicKeyOut]


class KeyOut(BaseModel):
    """The key that signs from now on."""

    kid: str


# ---- dependencies of routes ---------------------------------------------------------------------


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


OwnSettings = Annotated[Settings, Depends(_settings)]


def _view(caller: auth.Caller) -> type[PatronOut] | type[PatronRef]:
    """Return the class of response for a caller: stations and services get no personal data."""
    return PatronOut if caller.roles & {"staff", "patron"} else PatronRef


# ---- patrons ------------------------------------------------------------------------------------


@router.post("/patrons", status_code=201, tags=["patrons"])
async def post_patron(
    body: PatronIn, caller: Staff, run: Run, db: Db, settings: OwnSettings
) -> PatronOut:
    """Register a patron. 409 `card-taken`."""
    patron = await run(
        register_patron,
        RegisterPatron(
            card_number=body.card_number,
            card_digest=card_digest(body.card_number, settings.card_key),
            pin_hash=await hash_pin(body.pin.get_secret_value()),
            name=body.name,
            category=body.category,
            home_branch=body.home_branch,
            language=body.language,
            email=body.contact.email,
            phone=body.contact.phone,
        ),
    )
    _, holder = await queries.patron(db, patron.id)
    return PatronOut.of(patron, holder)


@router.get("/patrons", tags=["patrons"])
async def get_patrons(
    card: Annotated[str, Query(min_length=1, max_length=64)],
    caller: DeskOrService,
    db: Db,
    settings: OwnSettings,
) -> PatronPage:
    """Find the patron who has a card; stations and services get a PatronRef."""
    found = await queries.patron_with_card(db, card_digest(card, settings.card_key))
    return PatronPage(items=[_view(caller).of(*found)] if found else [])


@router.get("/patrons/{patron_id}", tags=["patrons"])
async def get_patron(patron_id: PatronId, caller: PatronOrStaff, db: Db) -> PatronOut | PatronRef:
    """Get a patron; services get a PatronRef. 404 `no-such-patron`, also once erased."""
    if not may_see(caller, patron_id):
        raise NoSuchPatron
    return _view(caller).of(*await queries.patron(db, patron_id))


@router.patch("/patrons/{patron_id}", tags=["patrons"])
async def patch_patron(
    patron_id: PatronId,
    body: PatronChanges,
    *,
    caller: Staff,
    run: Run,
    db: Db,
    settings: OwnSettings,
) -> PatronOut:
    """Change a patron's data. 404 `no-such-patron`, 409 `card-taken`."""
    patron = await run(
        amend_patron,
        AmendPatron(
            patron_id=patron_id,
            category=body.category,
            home_branch=body.home_branch,
            language=body.language,
            name=body.name,
            contact=Contact(body.contact.email, body.contact.phone) if body.contact else None,
            card_number=body.card_number,
            card_digest=(
                card_digest(body.card_number, settings.card_key) if body.card_number else None
            ),
            pin_hash=await hash_pin(body.pin.get_secret_value()) if body.pin else None,
        ),
    )
    _, holder = await queries.patron(db, patron_id)
    return PatronOut.of(patron, holder)


@router.delete("/patrons/{patron_id}", tags=["patrons"])
async def delete_patron(patron_id: PatronId, caller: Staff, run: Run) -> PatronRef:
    """Erase a patron; the response is the tombstone. 404 `no-such-patron`."""
    return PatronRef.of(await run(erase_patron, ErasePatron(patron_id)))


@router.post("/patrons/{patron_id}/block", tags=["patrons"])
async def post_block(
    patron_id: PatronId, body: BlockIn, caller: Staff, run: Run, db: Db
) -> PatronOut:
    """Stop a patron from borrowing, renewing and reserving. 409 `already-blocked`."""
    patron = await run(block_patron, BlockPatron(patron_id, body.reason))
    _, holder = await queries.patron(db, patron_id)
    return PatronOut.of(patron, holder)


@router.post("/patrons/{patron_id}/unblock", tags=["patrons"])
async def post_unblock(
    patron_id: PatronId, body: BlockIn, caller: Staff, run: Run, db: Db
) -> PatronOut:
    """Let a patron whom the staff blocked borrow again. 409 `not-blocked`."""
    patron = await run(unblock_patron, UnblockPatron(patron_id, body.reason))
    _, holder = await queries.patron(db, patron_id)
    return PatronOut.of(patron, holder)


# ---- preferences --------------------------------------------------------------------------------


@router.get("/me/preferences", tags=["preferences"])
async def get_preferences(caller: auth.Patron, db: Db) -> PreferencesOut:
    """Get the patron's preferences (My Setting)."""
    return PreferencesOut.of(await queries.preferences(db, caller.id))


@router.patch("/me/preferences", tags=["preferences"])
async def patch_preferences(body: PreferencesIn, caller: auth.Patron, run: Run) -> PreferencesOut:
    """Change the patron's preferences (My Setting).

    409 `no-address` for a channel that is added while no address for it is on file.
    """
    setting = await run(
        choose_preferences,
        ChoosePreferences(
            patron_id=caller.id,
            followed_branches=body.followed_branches,
            activity_types=body.activity_types,
            language=body.language,
            channels=body.channels,
            keep_history=body.keep_history,
        ),
    )
    return PreferencesOut.of(setting)


# ---- sessions, keys, staff ----------------------------------------------------------------------


@router.post("/sessions", tags=["sessions"])
async def post_session(body: SessionIn, db: Db, settings: OwnSettings) -> SessionOut:
    """Log in. 401 `bad-credentials`, 429 `locked`."""
    # Not through `run`: a repeated login is a new attempt, even with the same Idempotency-Key.
    attempt = LogIn(
        card_digest=card_digest(body.card_number, settings.card_key),
        pin=body.pin.get_secret_value(),
        at=wall_clock(),
    )
    return SessionOut.of(await log_in(db, settings, attempt))


@router.post("/service-sessions", tags=["sessions"])
async def post_service_session(body: ServiceSessionIn, db: Db, settings: OwnSettings) -> SessionOut:
    """Log in as a service. 401 `bad-credentials`."""
    attempt = AdmitService(body.service, body.secret.get_secret_value(), at=wall_clock())
    return SessionOut.of(await admit_service(db, settings, attempt))


@router.get("/keys", tags=["sessions"])
async def get_keys(db: Db, response: Response) -> KeysOut:
    """Get the public keys that verify tokens, as a JWK set (RFC 7517)."""
    # A verifier that meets an unknown key id fetches the keys again, so caching them is safe.
    response.headers["Cache-Control"] = "public, max-age=60"
    return KeysOut.model_validate(await public_keys(db, wall_clock()))


@router.post("/ops/keys/rotate", status_code=201, tags=["operations"])
async def post_key(caller: Ops, run: Run, settings: OwnSettings) -> KeyOut:
    """Replace the signing key; the former key stays published until its tokens have expired."""
    longest = timedelta(hours=settings.longest_token_hours)
    return KeyOut(kid=await run(rotate_keys, RotateKeys(wall_clock(), longest)))


@router.post("/staff", status_code=201, tags=["staff"])
async def post_staff(body: StaffIn, caller: Ops, run: Run, settings: OwnSettings) -> StaffOut:
    """Create an account for staff, a station or an operator. 409 `card-taken`."""
    staff_id = await run(
        add_staff,
        AddStaff(
            card_number=body.card_number,
            card_digest=card_digest(body.card_number, settings.card_key),
            pin_hash=await hash_pin(body.pin.get_secret_value()),
            name=body.name,
            role=body.role,
        ),
    )
    return StaffOut(id=staff_id, card_number=body.card_number, name=body.name, role=body.role)
