"""Events of accounts: patrons and their preferences, without names, contacts or PINs."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from shared.contracts.event import Code, Event, Id


class PatronSnapshot(Event, publisher="accounts", key="patron_id", subject="patron_id"):
    """A patron without personal details."""

    patron_id: Id
    category: Code = Field(description="`adult` or `junior`; a library may have others.")
    home_branch: Code = Field(description="Branch code.")
    language: Code = Field(description="`en`, `zh-Hant` or `zh-Hans`.")
    status: Literal["active", "blocked", "erased"]
    blocked_by: tuple[Literal["staff", "money"], ...] = Field(
        max_length=10,
        default=(),
        description="Causes of the block. In older events, empty for a block by staff.",
    )
    card_digest: str = Field(
        max_length=128,
        description="Empty: accounts says whose card a number is only when a service asks. In "
        "events of earlier releases the keyed digest of the card number.",
    )
    by_post: bool = Field(
        default=False,
        description="True: a postal address is on file, so that letters reach the patron.",
    )
    card_expires_on: date | None = Field(
        default=None,
        description="Last day on which the patron can borrow with the card; null: it does not "
        "expire.",
    )


class PatronRegistered(PatronSnapshot, topic="patron.registered"):
    """Published when a patron is registered."""


class PatronUpdated(PatronSnapshot, topic="patron.updated"):
    """Published when a patron's category, home branch, language, card or blocks change.

    Also when there is a postal address for the first time, or none any more.
    """


class PatronBlocked(PatronSnapshot, topic="patron.blocked"):
    """Published when staff or a debt block a patron from borrowing, renewing and placing holds."""


class PatronUnblocked(PatronSnapshot, topic="patron.unblocked"):
    """Published when a blocked patron may borrow again."""


class PatronErased(PatronSnapshot, topic="patron.erased"):
    """Published when a patron is erased: each service deletes their data and keeps a tombstone."""


class PatronCameOfAge(PatronSnapshot, topic="patron.came-of-age"):
    """Published when a junior patron has become an adult one on their birthday."""


class PatronCardRenewed(PatronSnapshot, topic="patron.card-renewed"):
    """Published when the patron or the staff have renewed a patron's card."""


class PatronCardExpiring(PatronSnapshot, topic="patron.card-expiring"):
    """Published once for each expiry of a card, some days before it."""


class PreferencesChanged(
    Event,
    topic="preferences.changed",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when a patron saves My Setting; `version` counts changes of the preferences."""

    patron_id: Id
    followed_branches: tuple[Code, ...] = Field(
        max_length=1_000, description="Branch codes, sorted."
    )
    activity_types: tuple[Code, ...] = Field(
        max_length=100, description="Such as `talk`, `exhibition`; sorted."
    )
    language: Code
    channels: tuple[Code, ...] = Field(
        max_length=20, description="Always `inbox`; later also `email`, `sms`."
    )
    keep_history: bool = Field(description="True if returned loans stay linked to the patron.")
    digest: bool = Field(
        default=False,
        description="True: one e-mail a day with all notifications that can wait until then.",
    )
    automatic_renewal: bool = Field(
        default=True,
        description="False: none of the patron's loans is renewed without their asking for it.",
    )


class PinResetSnapshot(Event, publisher="accounts", key="patron_id", subject="reset_id"):
    """A patron's request for a new PIN; the code is on no topic."""

    patron_id: Id
    reset_id: Id


class PinResetRequested(PinResetSnapshot, topic="pin.reset-requested"):
    """Published when a code to choose a new PIN is to be sent to a patron's e-mail address."""


class PinReset(PinResetSnapshot, topic="pin.reset"):
    """Published when a patron has chosen a new PIN with the code."""

    alert_id: Id | None = Field(
        default=None,
        description="By it accounts says at which address the patron is told; null in events of "
        "earlier releases.",
    )


class AlertSnapshot(Event, publisher="accounts", key="patron_id", subject="alert_id"):
    """A change of what protects an account, of which its holder is told; no address is in it."""

    patron_id: Id
    alert_id: Id = Field(description="By it accounts says at which address the patron is told.")
    by: Literal["patron", "staff"] = Field(description="The one who made the change.")


class AlertOfPin(AlertSnapshot, topic="alert.pin-changed"):
    """Published when a patron's PIN is changed by the patron with the former one, or by staff."""


class AlertOfCard(AlertSnapshot, topic="alert.card-replaced"):
    """Published when staff give a patron another card."""


class AlertOfContact(AlertSnapshot, topic="alert.contact-changed"):
    """Published when an e-mail or postal address or telephone number is changed, or is to be."""

    asked: bool = Field(
        default=False, description="True: a new e-mail address waits to be confirmed."
    )
    changed: bool = Field(default=False, description="True: a new e-mail address is in use.")
    removed: bool = Field(default=False, description="True: there is no e-mail address any more.")
    phone: bool = Field(default=False, description="True: the telephone number is another one.")
    postal: bool = Field(default=False, description="True: the postal address is another one.")


class AlertToConfirm(AlertSnapshot, topic="alert.address-to-confirm"):
    """Published when a code is to be sent to a patron's new e-mail address."""


class AlertOfDevice(AlertSnapshot, topic="alert.new-device"):
    """Published when a patron has logged in on a device that was not used with the card before.

    The first log-in with a card is left out.
    """


class AlertOfPasskey(AlertSnapshot, topic="alert.passkey-changed"):
    """Published when a patron adds a passkey, to log in without a PIN, or removes one."""

    added: bool = Field(description="False: it was removed.")


class PinIssued(
    Event,
    topic="pin.issued",
    publisher="accounts",
    key="account_id",
    subject="reset_id",
):
    """Published when a code to choose a PIN is to be sent to somebody of the staff."""

    account_id: Id = Field(description="The account of staff or of a machine.")
    reset_id: Id


class PatronApplied(
    Event,
    topic="patron.applied",
    publisher="accounts",
    key="application_id",
    subject="application_id",
):
    """Published when a code is to be sent to somebody who applied for a library card."""

    application_id: Id = Field(
        description="By it accounts says where the code is sent; later the id of the patron."
    )


class PatronInvited(
    Event,
    topic="patron.invited",
    publisher="accounts",
    key="patron_id",
    subject="invitation_id",
):
    """Published when another patron has invited a patron to link their cards."""

    patron_id: Id = Field(description="The patron who is invited.")
    invitation_id: Id


class LinkSnapshot(Event, publisher="accounts", key="patron_id", subject="link_id"):
    """A link of two patrons' cards, from the side of one. Each link has two sides."""

    link_id: Id = Field(description="Id of this side.")
    patron_id: Id
    member_id: Id = Field(description="The other patron.")
    linked: bool = Field(default=True, description="False once the link has ended.")


class PatronLinked(LinkSnapshot, topic="patron.linked"):
    """Published for each of two patrons when their cards are linked with the consent of both.

    From then on they may see each other's loans and holds, renew, reserve and cancel for each
    other.
    """


class PatronUnlinked(LinkSnapshot, topic="patron.unlinked"):
    """Published for each of two patrons when the link of their cards ends."""

    by: Literal["patron", "member", "erased", "came-of-age"] = Field(
        description="`patron`: this patron ended it. `member`: the other one did. `erased`: one of "
        "them was erased. `came-of-age`: a guardian had agreed for one, who is no longer a junior."
    )


class SessionEnded(
    Event,
    topic="session.ended",
    publisher="accounts",
    key="account_id",
    subject="session_id",
):
    """Published when a session ends before it expires; its tokens must be refused from then on."""

    session_id: Id = Field(description="The claim `sid` of the session's tokens.")
    account_id: Id = Field(
        description="Id of the patron, or of the account of staff, a station, a contact tracer or "
        "an operator: the claim `sub`."
    )
    expires_at: datetime = Field(
        description="Instant by the wall clock after which no token of the session is valid."
    )
