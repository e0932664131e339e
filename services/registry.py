"""The declaration of each service: its name, port, routes, events and snapshots.

The gateway, the settings, the commands and the tests derive what they need from here. To add a
service, declare it here and add its package beside this file; to forward another path, add its
prefix.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts import (
    Event,
    accounts,
    catalogue,
    circulation,
    events,
    notices,
    published,
    suspensions,
)
from shared.settings import TokenIssuer

LOOPBACK = "127.0.0.1"
_OF_VIEWS = ("GET /v1/snapshots/{kind}", "GET /v1/personal-data/{patron_id}")
"""Routes of each owner for the gateway: data for the account views, and for patrons to download."""

OPENID = (
    "/.well-known/openid-configuration",
    "/openid/keys",
    "/openid/token",
    "/openid/userinfo",
    "/openid/introspection",
    "/openid/revocation",
)
"""Addresses of OpenID Connect for clients; those for browsers are pages."""


@dataclass(frozen=True)
class Declaration:
    """The facts about a service that others need."""

    name: str
    """Its package in `services/`, its consumer group, and the publisher in its contracts."""
    port: int
    """Its usual port, if all services run on one machine."""
    prefixes: tuple[str, ...] = ()
    """Paths that the gateway forwards to it. A `*` stands for an id in the third segment.

    The longest matching prefix names a path's owner. Routes for services only are not listed.
    """
    long_previews: tuple[str, ...] = ()
    """Paths whose previews read the loans of many branches, and may take long."""
    uploads: tuple[str, ...] = ()
    """Paths of which the body is a file; it may be larger than others, and take long."""
    announces: tuple[str, ...] = ()
    """Paths whose commands by staff are told to patrons; the gateway limits them by themselves."""
    searches: tuple[str, ...] = ()
    """Paths that search, as by `q`, if their query says so; the gateway limits them apart."""
    snapshots: Mapping[str, type[Event]] = field(default_factory=dict)
    """The contract of the snapshots by kind, in the order in which the views are rebuilt."""
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Routes of other services that it uses as itself, by their owner; others are refused to it.

    Each is a method and the template of a path. `/v1/snapshots/{kind}` is every kind.
    """

    @property
    def topics(self) -> Mapping[str, type[Event]]:
        """The contract of each event that it publishes, by topic."""
        return published(self.name)

    def url(self, scheme: str) -> str:
        """Return its usual address on this machine; the scheme is http or https."""
        return f"{scheme}://{LOOPBACK}:{self.port}"


SERVICES = (
    Declaration(
        name="accounts",
        port=8101,
        prefixes=(
            "/v1/sessions",
            "/v1/pin-resets",
            "/v1/patrons",
            "/v1/patron-searches",
            "/v1/account-names",
            "/v1/patron-checks",
            "/v1/expiring-cards",
            "/v1/card-terms",
            "/v1/card-applications",
            "/v1/me/card",
            "/v1/staff",
            "/v1/staff-removals",
            "/v1/staff-requests",
            "/v1/second-factors",
            "/v1/me/preferences",
            "/v1/me/calendar",
            "/v1/me/family",
            "/v1/me/family-invitations",
            "/v1/me/contact",
            "/v1/me/pin",
            "/v1/me/passkeys",
            "/v1/unsubscriptions",
            "/v1/keys",
            "/v1/ops/keys",
            "/v1/authorization-checks",
            "/v1/me/authorizations",
            "/v1/log-out-checks",
            *OPENID,
        ),
        snapshots={
            "patrons": accounts.PatronSnapshot,
            "preferences": accounts.PreferencesChanged,
            "links": accounts.LinkSnapshot,
        },
        calls={"circulation": ("POST /v1/borrowers/{patron_id}/closing",)},
    ),
    Declaration(
        name="circulation",
        port=8102,
        prefixes=(
            "/v1/patrons/*/charges",
            "/v1/patrons/*/payments",
            "/v1/patrons/*/renewals",
            "/v1/me/charges",
            "/v1/ops/sweeps",
            "/v1/titles",
            "/v1/title-copies",
            "/v1/title-imports",
            "/v1/copies",
            "/v1/checkouts",
            "/v1/returns",
            "/v1/loans",
            "/v1/me/loans",
            "/v1/me/renewals",
            "/v1/fine-suspensions",
            "/v1/charges",
            "/v1/policies",
            "/v1/offline-conflicts",
            "/v1/desk-lists",
            "/v1/dispatches",
            "/v1/me/history",
            "/v1/me/limits",
            "/v1/me/lists",
            "/v1/me/self-checkouts",
            "/v1/self-checkouts",
            "/v1/shared-lists",
            "/v1/me/payments",
            "/v1/holds",
            "/v1/me/holds",
            "/v1/payments",
            "/v1/tills",
            "/oai",
        ),
        long_previews=("/v1/fine-suspensions",),
        uploads=("/v1/title-imports",),
        searches=("/v1/titles", "/v1/titles/suggestions"),
        snapshots={
            "titles": catalogue.TitleCatalogued,
            "loans": circulation.LoanSnapshot,
            "holds": circulation.HoldSnapshot,
            "charges": circulation.ChargeSnapshot,
            "suspensions": suspensions.SuspensionSnapshot,
        },
        calls={"accounts": ("GET /v1/patrons", "GET /v1/patrons/{patron_id}")},
    ),
    Declaration(
        name="events",
        port=8103,
        prefixes=(
            "/v1/activities",
            "/v1/activities.ics",
            "/v1/patrons/*/registrations",
            "/v1/patrons/*/bookings",
            "/v1/me/registrations",
            "/v1/study-seasons",
            "/v1/me/admissions",
            "/v1/study-rooms",
            "/v1/me/bookings",
        ),
        snapshots={
            "activities": events.ActivitySnapshot,
            "registrations": events.RegistrationSnapshot,
            "admissions": events.AdmissionSnapshot,
            "seats": events.SeatSnapshot,
            "bookings": events.BookingSnapshot,
        },
        calls={"accounts": ("GET /v1/patrons", "GET /v1/patrons/{patron_id}")},
    ),
    Declaration(
        name="notices",
        port=8104,
        prefixes=(
            "/v1/branches",
            "/v1/occupancies",
            "/v1/closures",
            "/v1/letter-runs",
            "/v1/notice-drafts",
            "/v1/notices",
            "/v1/notices.atom",
            "/v1/notices.json",
            "/v1/me/inbox",
            "/v1/enquiries",
            "/v1/me/enquiries",
            "/v1/guest-enquiries",
            "/v1/attachments",
            "/v1/questions",
            "/v1/channels",
            "/v1/deliveries",
            "/v1/overdue-deliveries",
            "/v1/wordings",
            "/v1/visits",
            "/v1/me/visits",
            "/v1/me/push-subscriptions",
            "/v1/venues",
            "/v1/tickets",
            "/v1/tracings",
            "/v1/webhooks",
        ),
        long_previews=("/v1/closures",),
        uploads=("/v1/attachments",),
        announces=("/v1/notices", "/v1/notice-drafts", "/v1/enquiries"),
        searches=("/v1/questions", "/v1/enquiries"),
        snapshots={
            "branches": notices.BranchSnapshot,
            "notices": notices.NoticeSnapshot,
            "notifications": notices.NotificationSnapshot,
            "enquiries": notices.EnquirySnapshot,
        },
        calls={
            "accounts": (
                "GET /v1/email-addresses/{patron_id}",
                "POST /v1/postal-addresses",
                "GET /v1/staff-codes/{reset_id}",
                "GET /v1/applicant-codes/{application_id}",
                "GET /v1/patrons/{patron_id}",
            ),
            "circulation": (
                "GET /v1/loans/{loan_id}",
                "GET /v1/loans/{loan_id}/fine-statement",
                "GET /v1/holds/{hold_id}",
                "GET /v1/charges/{charge_id}",
                "GET /v1/fine-suspensions/{suspension_id}/patrons",
                "POST /v1/effects",
            ),
            "events": (
                "GET /v1/activities/{activity_id}/registrations",
                "GET /v1/booking-states/{booking_id}",
                "POST /v1/effects/activities",
                "POST /v1/effects/study-rooms",
            ),
        },
    ),
    Declaration(
        name="gateway",
        port=8080,
        long_previews=("/desk/closures", "/desk/suspensions"),
        calls={
            "accounts": (*_OF_VIEWS, "POST /v1/calendar-lookups"),
            "circulation": _OF_VIEWS,
            "events": _OF_VIEWS,
            "notices": _OF_VIEWS,
        },
    ),
)

NAMES = tuple(service.name for service in SERVICES)
OWNERS = tuple(service.name for service in SERVICES if service.topics)
"""The names of the services that own data and publish its changes: all but the gateway."""
CALLERS: Mapping[str, Mapping[str, frozenset[str]]] = {
    owner: {one.name: frozenset(one.calls.get(owner, ())) for one in SERVICES} for owner in NAMES
}
"""For each service the routes that each other one may use."""
ISSUER = TokenIssuer(
    "accounts",
    keys="/v1/keys",
    sessions="/v1/service-sessions",
    log_in="/v1/sessions",
    factors="/v1/second-factors",
    resets="/v1/pin-resets",
)
