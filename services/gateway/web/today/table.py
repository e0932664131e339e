"""The lists of the day, each declared once: where it comes from, its columns, filters and acts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.translations import marked

Kind = Literal[
    "title", "text", "number", "shelf", "reader", "library", "day", "moment", "due", "notices",
    "place", "session", "coming", "door",
]  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column: its heading, and the field of a row that it shows in one way."""

    label: str
    kind: Kind
    name: str = ""


@dataclass(frozen=True)
class Act:
    """The next act of a librarian on a row, as a button."""

    name: str
    """Name of the act in `desk.py`."""
    label: str
    key: str = "barcode"
    """Field of the row that the act is on."""
    at_once: str = ""
    """Label of the button for all rows of the page; empty: there is none."""
    noted: bool = False
    """True if the act takes a note."""


@dataclass(frozen=True)
class Span:
    """A choice of days, counted from today; None: without an end."""

    label: str
    first: int | None
    last: int | None


@dataclass(frozen=True)
class DeskList:
    """A list of the day."""

    title: str
    columns: Sequence[Column]
    limit: int = 1000
    """Rows that are read, as many as the API gives at most: a longer list is to be narrowed."""
    path: str = "/v1/desk-lists/{name}"
    """Route of the API that lists the rows of a library, with `{name}` and `{place}`."""
    items: str = "items"
    """Field of the response with the rows."""
    counted: str = ""
    """Name of the number in the menu, if it is not that of the rows."""
    empty: str = marked("There is nothing on this list.")
    hint: str = ""
    link: tuple[str, str] = ("", "")
    """Text and address, with `{place}`, of the page where more can be done."""
    acts: Sequence[Act] = ()
    searched: str = marked("Title, barcode or call number")
    """Label of the field that narrows the rows by words; empty: there is none."""
    other: str = ""
    """Field by whose values the rows can be narrowed; empty: there is none."""
    other_label: str = marked("Other library")
    spans: Mapping[str, Span] = field(default_factory=dict)
    """Choices of days by which the API narrows the list; the first is that of the list at first."""
    order: Sequence[str] = ()
    """Fields to sort by; none: the order of the API."""


_TITLE = Column(marked("Title"), "title")
_BARCODE = Column(marked("Barcode"), "text", "barcode")
_SHELF = Column(marked("Shelf"), "shelf")
_READER = Column(marked("Reader"), "reader")
_DUE = Column(marked("Due date"), "due")
_TO = Column(marked("To"), "library", "bound_for")

LISTS: Mapping[str, DeskList] = {
    "to-fetch": DeskList(
        marked("Items to fetch"),
        (_SHELF, _TITLE, _BARCODE, Column(marked("Pick-up library"), "library", "pickup_branch")),
        empty=marked("There is nothing to fetch."),
        hint=marked(
            "Take these items from the shelves and scan them under Return. Each is then ready, or "
            "goes to its pick-up library."
        ),
        acts=(
            Act("scan", marked("It is here")),
            Act("missing", marked("Not on its shelf")),
        ),
        link=(marked("When readers are told"), "/desk/libraries/{place}#delay"),
        other="pickup_branch",
        order=("shelf_location", "shelf_order", "title", "barcode"),
    ),
    "on-shelf": DeskList(
        marked("Shelf of reserved items"),
        (_READER, _TITLE, _BARCODE, Column(marked("Collect until"), "day", "shelf_until")),
        order=("shelf_until", "title"),
    ),
    "uncleared": DeskList(
        marked("To clear from the shelf"),
        (_READER, _TITLE, _BARCODE, Column(marked("Ended on"), "day", "ended_on")),
        hint=marked(
            "These items lie on the shelf of reserved items, but nobody is to collect them there "
            "any more. Clear them, and you see where each goes."
        ),
        acts=(Act("scan", marked("Clear"), at_once=marked("Clear all of this page")),),
        order=("ended_on", "title"),
    ),
    "to-send": DeskList(
        marked("To send"),
        (_TO, _TITLE, _BARCODE, _READER),
        acts=(Act("send", marked("It has left"), at_once=marked("All of this page have left")),),
        other="bound_for",
        order=("bound_for", "title"),
    ),
    "on-the-way": DeskList(
        marked("On their way"),
        (_TO, _TITLE, _BARCODE, Column(marked("Left on"), "day", "sent_on"), _READER),
        other="bound_for",
    ),
    "arriving": DeskList(
        marked("Arriving"),
        (
            *(Column(marked("From"), "library", "at_branch"), _TITLE, _BARCODE),
            *(Column(marked("Left on"), "day", "sent_on"), _READER),
        ),
        acts=(Act("scan", marked("It has arrived")),),
        other="at_branch",
        order=("sent_on", "title"),
    ),
    "due-today": DeskList(marked("Due today"), (_DUE, _TITLE, _BARCODE, _READER)),
    "overdue": DeskList(
        marked("Overdue"),
        (_DUE, _TITLE, _READER, Column(marked("Letters and messages"), "notices"), _BARCODE),
        spans={
            "": Span(marked("All overdue items"), None, None),
            "1": Span(marked("For less than a week"), -6, None),
            "7": Span(marked("For one or two weeks"), -20, -7),
            "21": Span(marked("For three weeks or longer"), None, -21),
        },
    ),
    "claimed": DeskList(
        marked("Said to be back"),
        (
            Column(marked("Said to be back since"), "day", "claimed_returned_on"),
            *(_TITLE, _SHELF, _BARCODE, _READER),
        ),
        hint=marked("Look for these items on the shelves. No fine is added meanwhile."),
        acts=(
            Act("scan", marked("Found")),
            Act("reject", marked("Not found"), "loan_id"),
        ),
    ),
    "lost": DeskList(
        marked("Lost"),
        (Column(marked("Lost on"), "day", "lost_on"), _TITLE, _SHELF, _BARCODE, _READER),
        acts=(Act("scan", marked("Found")),),
    ),
    "conflicts": DeskList(
        marked("Offline check-outs to settle"),
        (
            *(Column(marked("Lent on"), "day", "lent_on"), _TITLE, _BARCODE, _READER),
            Column(marked("Reason"), "text", "code"),
        ),
        acts=(Act("settle", marked("Settle"), "id", noted=True),),
    ),
    "cards": DeskList(
        marked("Cards that expire"),
        (
            Column(marked("Card valid until"), "day", "card_expires_on"),
            *(_READER, Column(marked("Telephone"), "text", "phone")),
            Column(marked("E-mail"), "text", "email"),
        ),
        path="/v1/expiring-cards",
        searched=marked("Name"),
        acts=(Act("renew-card", marked("Renew the card"), "patron_id"),),
        spans={
            "": Span(marked("In the next 30 days"), 0, 30),
            "90": Span(marked("In the next 90 days"), 0, 90),
            "over": Span(marked("Expired in the last 90 days"), -90, -1),
        },
    ),
    "enquiries": DeskList(
        marked("Questions of readers"),
        (
            *(Column(marked("Asked"), "moment", "opened_at"), Column(marked("Question"), "title")),
            *(_READER, Column(marked("Library"), "library", "branch")),
        ),
        path="/v1/enquiries",
        limit=200,
        empty=marked("There are no questions here."),
        hint=marked("Nobody has taken these questions yet. Open one to answer it."),
        link=(marked("All questions"), "/desk/enquiries"),
        searched=marked("Question"),
    ),
    "activities": DeskList(
        marked("Activities today"),
        (
            *(Column(marked("Begins"), "moment", "starts_at"), Column(marked("Title"), "title")),
            *(Column(marked("Venue"), "text", "venue"), Column(marked("Places taken"), "place")),
        ),
        path="/v1/activities",
        limit=200,
        empty=marked("There is no activity today."),
        hint=marked("Open an activity to record who comes."),
        searched=marked("Title"),
    ),
    "rooms": DeskList(
        marked("Study room today"),
        (
            *(Column(marked("Session"), "session"), _READER),
            *(
                Column(marked("Place held until"), "moment", "until"),
                Column(marked("Status"), "coming"),
            ),
        ),
        path="/v1/study-rooms/{place}/bookings",
        counted=marked("Study room: places booked"),
        empty=marked("Nobody has booked a session that is not over."),
        link=(marked("Let readers in by their codes"), "/desk/study-sessions/{place}/door"),
        searched="",
        other="starts_at",
        other_label=marked("Session"),
    ),
    "visitors": DeskList(
        marked("Visitors today"),
        (
            Column(marked("Door"), "door"),
            *(
                Column(marked("Entered today"), "number", "entered"),
                Column(marked("Left today"), "number", "left"),
            ),
        ),
        path="/v1/branches/{place}/occupancy",
        items="doors",
        counted=marked("Visitors inside"),
        empty=marked("Nobody has been counted today."),
        hint=marked("The doors at which people were counted. Names are for contact tracers only."),
        link=(marked("Count and register visitors"), "/desk/visitors"),
        searched="",
    ),
}
"""All lists by name, as in their addresses."""

GROUPS = (
    (marked("Shelves"), ("to-fetch", "on-shelf", "uncleared")),
    (marked("Between libraries"), ("to-send", "on-the-way", "arriving")),
    (marked("Loans"), ("due-today", "overdue", "claimed", "lost", "conflicts")),
    (marked("Readers and visitors"), ("cards", "enquiries", "activities", "rooms", "visitors")),
)
"""The lists in the groups of Today."""
