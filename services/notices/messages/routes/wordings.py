"""Routes of wordings: the texts of notifications that staff set, try out and take back."""

import asyncio
import datetime as dt
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.notices.channels.clients.mail import (
    BadAddress,
    Mailer,
    MailServerAway,
    NotSendable,
    Refused,
)
from services.notices.fields import Id, Language
from services.notices.kinds.kind import Kind, all_kinds
from services.notices.language import language_of
from services.notices.messages import refusals, store
from services.notices.messages.commands.wordings import change_wording
from services.notices.messages.queries.emails import Recipient, bodies_of, email_of
from services.notices.messages.queries.texts import (
    placeholders_of,
    sample_known,
    sample_of,
    trial_of,
)
from services.notices.messages.rules import (
    BUILT_IN,
    MessageWording,
    Texts,
    WordingVersion,
    check_placeholders,
    wording_id,
)
from services.notices.settings import settings_of
from shared.auth import Staff
from shared.clock import wall_clock
from shared.deadlines import allowed
from shared.email_address import EmailAddress
from shared.http.bodies import ONE_LINE, Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.ids import new_id
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1", tags=["wordings"])

TRIAL_SECONDS = 1.5
"""Time for the mail server to take a trial; the caller waits for it."""


def _long(most: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=most)


class TextsBody(Body):
    """Texts with placeholders such as `{title}`; null: as built in."""

    subject: Annotated[str, _long(150), ONE_LINE] | None = Field(
        default=None, description="Subject of the e-mail."
    )
    opening: Annotated[str, _long(1_000)] | None = Field(
        default=None, description="Paragraphs before the text, one a line."
    )
    text: Annotated[str, _long(2_000)] | None = None
    closing: Annotated[str, _long(1_000)] | None = Field(
        default=None, description="Paragraphs after the text, one a line."
    )

    def texts(self) -> Texts:
        """Return the texts as a domain value."""
        return Texts(self.subject, self.opening, self.text, self.closing)


class MessageWordingBody(TextsBody):
    """The texts of a kind of notification in one language, from now on."""

    seen: int = Field(
        ge=0, le=1_000_000, description="Version that the librarian has read; 0: as built in."
    )


class RestorationBody(Body):
    """An earlier version that is to be in force again."""

    number: int = Field(ge=0, le=1_000_000, description="Number of the version; 0: as built in.")
    seen: int = Field(ge=0, le=1_000_000)


class PreviewBody(TextsBody):
    """Texts to try out, for a patron, a stored notification, or with sample facts."""

    patron_id: Id | None = Field(
        default=None, description="The patron's newest notification of the kind, if there is one."
    )
    notification_id: Id | None = None


class TrialBody(TextsBody):
    """Texts to send to an address once, with sample facts. The address is stored nowhere."""

    address: EmailAddress


class TextsOut(BaseModel):
    """Texts with placeholders; null: as built in."""

    subject: str | None
    opening: str | None
    text: str | None
    closing: str | None


class VersionOut(BaseModel):
    """One version of a wording, and who saved it when."""

    number: int
    texts: TextsOut
    changed_by: str
    changed_at: dt.datetime

    @classmethod
    def of(cls, version: WordingVersion) -> "VersionOut":
        """Build the response from a version."""
        return from_attributes(cls, version, texts=from_attributes(TextsOut, version.texts))


class MessageWordingOut(BaseModel):
    """The wording of a kind of notification in one language."""

    kind: str = Field(description="Topic of the kind's first event.")
    language: str
    version: int = Field(description="0: it was never changed.")
    texts: TextsOut
    built_in: str = Field(description="The built-in text for sample facts, with placeholders.")
    placeholders: list[str]
    versions: list[VersionOut] = Field(description="The newest first.")

    @classmethod
    def of(
        cls, kind: type[Kind], language: str, wording: MessageWording | None, run: Run
    ) -> "MessageWordingOut":
        """Build the response from a wording, None for the built-in one."""
        spoken = language_of(language)
        zone = run.settings.zone
        built_in = sample_of(kind).texts(sample_known(zone))
        versions = wording.versions if wording else ()
        return cls(
            kind=kind.code(),
            language=language,
            version=wording.version if wording else 0,
            texts=from_attributes(TextsOut, wording.texts if wording else BUILT_IN),
            built_in=spoken.space.join(spoken.say(text) for text in built_in),
            placeholders=placeholders_of(kind, zone, spoken),
            versions=[VersionOut.of(one) for one in reversed(versions)],
        )


class ListedWordingOut(BaseModel):
    """A kind of notification in one language, and whether its wording is the built-in one."""

    kind: str
    name: str = Field(description="Its name for staff, in this language.")
    language: str
    version: int
    is_built_in: bool
    changed_by: str | None
    changed_at: dt.datetime | None


class WordingList(BaseModel):
    """The wordings of all kinds of notifications."""

    items: list[ListedWordingOut]


class PreviewOut(BaseModel):
    """A message as it is shown in the inbox and sent by e-mail."""

    subject: str
    paragraphs: list[str]
    text: str = Field(description="The e-mail as plain text.")
    html: str = Field(description="The e-mail as HTML.")


class WordingTrialOut(BaseModel):
    """The result of a trial."""

    sent: bool


def _kind(code: str) -> type[Kind]:
    return or_refuse(all_kinds().get(code), refusals.NoSuchKind)


def _checked(kind: type[Kind], language: str, body: TextsBody, run: Run) -> Texts:
    texts = body.texts()
    check_placeholders(texts, placeholders_of(kind, run.settings.zone, language_of(language)))
    return texts


@router.get("/wordings")
async def get_wordings(caller: Staff, db: Db, language: Language = "en") -> WordingList:
    """List the kinds of notifications with the wording that each has in a language."""
    known = await store.find_all(db)
    items = []
    for code, kind in sorted(all_kinds().items()):
        wording = known.get(wording_id(code, language))
        last = wording.versions[-1] if wording else None
        items.append(
            ListedWordingOut(
                kind=code,
                name=language_of(language).say(kind.name),
                language=language,
                version=last.number if last else 0,
                is_built_in=last is None or last.texts == BUILT_IN,
                changed_by=last.changed_by if last else None,
                changed_at=last.changed_at if last else None,
            )
        )
    return WordingList(items=items)


@router.get("/wordings/{kind}/{language}")
@refuses(refusals.NoSuchKind)
async def get_wording(kind: Id, language: Language, caller: Staff, run: Run) -> MessageWordingOut:
    """Show the wording of a kind in a language, with its placeholders and its versions."""
    found = await store.find_one(run.database, wording_id(kind, language))
    return MessageWordingOut.of(_kind(kind), language, found, run)


@router.put("/wordings/{kind}/{language}")
@refuses(refusals.NoSuchKind, refusals.BadPlaceholder, refusals.WordingChanged)
async def put_wording(
    kind: Id, language: Language, body: MessageWordingBody, caller: Staff, run: Run
) -> MessageWordingOut:
    """Save the texts as the next version. Inbox and e-mails have them from now on.

    Placeholders are those that `GET` lists. A text with a placeholder that has no value in a
    notification is not used for it; its patron gets the built-in text.
    """
    texts = _checked(_kind(kind), language, body, run)
    return MessageWordingOut.of(
        _kind(kind),
        language,
        await run(
            change_wording,
            kind=kind,
            language=language,
            texts=texts,
            again=0,
            seen=body.seen,
            librarian=caller.name,
        ),
        run,
    )


@router.post("/wordings/{kind}/{language}/restorations")
@refuses(refusals.NoSuchKind, refusals.NoSuchVersion, refusals.WordingChanged)
async def post_restoration(
    kind: Id, language: Language, body: RestorationBody, caller: Staff, run: Run
) -> MessageWordingOut:
    """Take back to an earlier version, or to the built-in wording, as the next version."""
    return MessageWordingOut.of(
        _kind(kind),
        language,
        await run(
            change_wording,
            kind=_kind(kind).code(),
            language=language,
            texts=None,
            again=body.number,
            seen=body.seen,
            librarian=caller.name,
        ),
        run,
    )


@router.post("/wordings/{kind}/{language}/previews")
@refuses(refusals.NoSuchKind, refusals.BadPlaceholder, refusals.NoSuchNotification)
async def post_preview(
    kind: Id, language: Language, body: PreviewBody, caller: Staff, run: Run
) -> PreviewOut:
    """Show a message with these texts; nothing is saved."""
    found = _kind(kind)
    message = await trial_of(
        run.database,
        found,
        language,
        _checked(found, language, body, run),
        run.settings.zone,
        patron_id=body.patron_id,
        notification_id=body.notification_id,
    )
    url = settings_of(run).public_url
    text, html = bodies_of([message], language_of(language), language, url, None)
    return PreviewOut(
        subject=message.subject, paragraphs=list(message.paragraphs), text=text, html=html
    )


@router.post("/wordings/{kind}/{language}/trials")
@refuses(refusals.NoSuchKind, refusals.BadPlaceholder, refusals.NoMailServer, refusals.TrialNotSent)
async def post_trial(
    kind: Id, language: Language, body: TrialBody, caller: Staff, run: Run
) -> WordingTrialOut:
    """Send a message with these texts and sample facts to an address, once."""
    found = _kind(kind)
    texts = _checked(found, language, body, run)
    settings = settings_of(run)
    if not settings.smtp_host:
        raise refusals.NoMailServer
    message = await trial_of(run.database, found, language, texts, settings.zone)
    try:
        async with asyncio.timeout(allowed(TRIAL_SECONDS)), Mailer(settings) as mailer:
            email = email_of(
                new_id(),
                [message],
                to=Recipient(body.address, None),
                code=language,
                language=language_of(language),
                at=wall_clock(),
                settings=settings,
            )
            await mailer.send(email, body.address)
    except (BadAddress, MailServerAway, NotSendable, Refused, TimeoutError):
        raise refusals.TrialNotSent from None
    return WordingTrialOut(sent=True)
