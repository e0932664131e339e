"""Menus: the pages that a visitor can reach from any page, by role."""

from collections.abc import Collection, Sequence

from shared.translations import marked

PATRON_PAGES = (
    ("/", marked("My Account")),
    ("/info", marked("My Info")),
    ("/inbox", marked("Messages")),
    ("/enquiries", marked("Ask a Librarian")),
    ("/family", marked("Linked cards")),
    ("/setting", marked("My Setting")),
)
OWN_LOG_IN = ("/pin-and-codes", marked("PIN and codes"))
DESK_PAGES = (
    ("/desk", marked("Lend")),
    ("/desk/returns", marked("Return")),
    ("/desk/fetching", marked("Fetch")),
    ("/desk/patrons", marked("Register")),
    ("/desk/accounts", marked("Accounts")),
    ("/desk/closures", marked("Closures")),
    ("/desk/suspensions", marked("Suspensions of fines")),
    ("/desk/notices", marked("Publish a notice")),
    ("/desk/enquiries", marked("Questions")),
    ("/desk/deliveries", marked("E-mails")),
    ("/desk/wordings", marked("Wordings")),
    ("/desk/webhooks", marked("Webhooks")),
    ("/desk/visitors", marked("Visitors")),
    ("/desk/study-rooms", marked("Seasons")),
    OWN_LOG_IN,
)
TRACER_PAGES = (("/tracing", marked("Contact tracing")), OWN_LOG_IN)
ADMINISTRATOR_PAGES = (("/desk/staff", marked("Staff accounts")), OWN_LOG_IN)
OVERSEER_PAGES = (
    ("/tracing/looks", marked("Looks at visits")),
    ("/audit-trail", marked("Audit trail")),
    *ADMINISTRATOR_PAGES,
)
OPEN_PAGES = (
    ("/catalogue", marked("Catalogue")),
    ("/activities", marked("Activities")),
    ("/study-rooms", marked("Study rooms")),
    ("/libraries", marked("Libraries")),
    ("/notices", marked("Notices")),
    ("/questions", marked("Questions and answers")),
)


def pages_of(roles: Collection[str]) -> Sequence[tuple[str, str]]:
    """Return the paths and names of a visitor's own pages; none without a role of people."""
    if "patron" in roles:
        return PATRON_PAGES
    if "staff" in roles:
        return DESK_PAGES
    if "tracer" in roles:
        return TRACER_PAGES
    if "admin" in roles:
        return ADMINISTRATOR_PAGES
    return OVERSEER_PAGES if "ops" in roles else ()
