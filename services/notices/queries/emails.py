"""The e-mails to patrons and guests, as text and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from urllib.parse import urlsplit

from services.notices.domain.enquiry import Enquiry
from services.notices.domain.guest import Guest
from services.notices.kinds import frame
from services.notices.kinds.kind import Kind, Unknown
from services.notices.kinds.language import Language, language_of
from services.notices.kinds.wording import Message
from services.notices.settings import Settings

LANGUAGE_TAGS = {"zh-Hant": "zh-Hant-HK", "zh-Hans": "zh-Hans"}


class BadAddress(Exception):
    """An address that no header can hold; the error does not repeat it."""


@dataclass(frozen=True)
class Recipient:
    """The recipient of one e-mail: the address, and what only this message may have."""

    address: str = field(repr=False)
    unsubscribe: str | None = field(repr=False)
    """Token of the link to unsubscribe; a librarian who gets a trial has none."""
    code: str | None = field(default=None, repr=False)
    """Code for a message that was asked for and is no notification only."""


@dataclass(frozen=True)
class GuestLink:
    """The recipient of an e-mail to a guest: the address, and the token of the link."""

    address: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class StaffRecipient:
    """The recipient of an e-mail to somebody of the staff: address, and the code with its id."""

    address: str = field(repr=False)
    reset_id: str
    code: str = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """The words of an e-mail to a guest; `see` has the place of the link."""

    subject: str
    text: str
    see: str
    after: str


def email_of(
    delivery_id: str,
    messages: Sequence[Message],
    *,
    to: Recipient,
    code: str,
    language: Language,
    at: datetime,
    settings: Settings,
    kind: type[Kind] = Unknown,
) -> EmailMessage:
    """Return the message with one or more notifications; `kind` is that of an only one.

    Its Message-ID is the same at every try of the delivery. `code` is the code of `language`.
    Raises BadAddress.
    """
    message = _envelope(delivery_id, to.address, _subject(messages, language), at, settings)
    if to.code is not None:
        said = language.say(kind.code_text).format(code=to.code)
        text, html = _bodies_with_code(messages, language, code, said)
    else:
        unsubscribe = None
        if to.unsubscribe is not None and not kind.urgent:
            unsubscribe = f"{settings.public_url}/unsubscribe/{to.unsubscribe}"
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        why = frame.WHY_SECURITY if kind.urgent else frame.WHY
        url = settings.public_url
        text, html = bodies_of(messages, language, code, url, unsubscribe, why=why)
    return _with_body(message, code, text, html)


def email_to_guest(
    delivery_id: str,
    guest: Guest,
    enquiry: Enquiry | None,
    *,
    to: GuestLink,
    at: datetime,
    settings: Settings,
) -> EmailMessage:
    """Return the message with a guest's link. Raises BadAddress.

    It says that the address is to be confirmed or, with an `enquiry`, what the library has done.
    """
    letter = _letter(enquiry, language_of(guest.language))
    link = f"{settings.public_url}/ask/{to.token}"
    message = _envelope(delivery_id, to.address, letter.subject, at, settings)
    plain = [text for text in (letter.text, letter.see.format(address=link), letter.after) if text]
    before = f"<p>{escape(letter.text)}</p>" if letter.text else ""
    html = f"{before}<p>{_linked(letter.see, link)}</p><p>{escape(letter.after)}</p>"
    text = "\n\n".join(plain) + "\n"
    return _with_body(message, guest.language, text, _page(html, guest.language))


def _letter(enquiry: Enquiry | None, language: Language) -> Letter:
    say = language.say
    if enquiry is None:
        return Letter(
            say(frame.GUEST_CONFIRM_SUBJECT),
            "",
            say(frame.GUEST_CONFIRM),
            say(frame.GUEST_CONFIRM_UNTIL),
        )
    if enquiry.merged_into is not None:
        text = frame.GUEST_MERGED
    else:
        by_state = {"answered": frame.GUEST_ANSWERED, "waiting": frame.GUEST_ASKED_BACK}
        text = by_state.get(enquiry.state, frame.GUEST_WRITTEN)
    subject = language.quoted(enquiry.subject, "")
    return Letter(
        say(frame.GUEST_SUBJECT),
        say(text).format(subject=subject),
        say(frame.GUEST_SEE),
        say(frame.GUEST_SECRET),
    )


def email_to_staff(
    delivery_id: str, to: StaffRecipient, *, at: datetime, settings: Settings
) -> EmailMessage:
    """Return the message with a code to choose a PIN. Raises BadAddress.

    It says everything in each language: accounts of staff have none.
    """
    link = f"{settings.public_url}/forgotten-pin/{to.reset_id}"
    languages = ("en", *LANGUAGE_TAGS)
    plain: list[str] = []
    html = ""
    for code in languages:
        say = language_of(code).say
        first, see = say(frame.STAFF_CODE).format(code=to.code), say(frame.STAFF_SEE)
        keep = say(frame.KEEP)
        plain += [first, see.format(address=link), keep]
        parts = (escape(first), _linked(see, link), escape(keep))
        body = "".join(f"<p>{part}</p>" for part in parts)
        html += f'<div lang="{LANGUAGE_TAGS.get(code, code)}">{body}</div>'
    subject = " / ".join(language_of(code).say(frame.STAFF_SUBJECT) for code in languages)
    message = _envelope(delivery_id, to.address, subject, at, settings)
    return _with_body(message, "en", "\n\n".join(plain) + "\n", _page(html, "en"))


def _envelope(
    delivery_id: str, address: str, subject: str, at: datetime, settings: Settings
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.sender
    message["To"] = _to(address)
    message["Subject"] = subject
    message["Date"] = at
    message["Message-ID"] = f"<{delivery_id}@{urlsplit(settings.public_url).hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    return message


def _with_body(message: EmailMessage, code: str, text: str, html: str) -> EmailMessage:
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    message["Content-Language"] = LANGUAGE_TAGS.get(code, code)
    return message


def bodies_of(
    messages: Sequence[Message],
    language: Language,
    code: str,
    url: str,
    unsubscribe: str | None,
    *,
    why: str = frame.WHY,
) -> tuple[str, str]:
    """Return the text and the HTML of an e-mail; without a link to `unsubscribe` if it is None."""
    see = language.say(frame.SEE)
    why = language.say(why)
    stop = language.say(frame.UNSUBSCRIBE)
    inbox = f"{url}/inbox"
    paragraphs = [paragraph for message in messages for paragraph in message.paragraphs]
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    if len(messages) > 1:
        paragraphs = [
            f"{'  ' if number else '- '}{paragraph}"
            for message in messages
            for number, paragraph in enumerate(message.paragraphs)
        ]
        items = [
            "".join(f"<p>{escape(paragraph)}</p>" for paragraph in message.paragraphs)
            for message in messages
        ]
        body = "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
    last = [why] if unsubscribe is None else [why, stop.format(address=unsubscribe)]
    linked = "" if unsubscribe is None else f"<br>{_linked(stop, unsubscribe)}"
    text = "\n\n".join([*paragraphs, see.format(address=inbox), *last]) + "\n"
    html = _page(f"{body}<p>{_linked(see, inbox)}</p><hr><p>{escape(why)}{linked}</p>", code)
    return text, html


def _bodies_with_code(
    messages: Sequence[Message], language: Language, code: str, said: str
) -> tuple[str, str]:
    paragraphs = [paragraph for message in messages for paragraph in message.paragraphs]
    paragraphs += [said, language.say(frame.KEEP)]
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return "\n\n".join(paragraphs) + "\n", _page(html, code)


def _page(body: str, code: str) -> str:
    return f'<!doctype html><html lang="{code}"><meta charset="utf-8"><body>{body}</body></html>\n'


def _to(address: str) -> Address:
    try:
        return Address(addr_spec=address)
    except (MessageError, ValueError):
        raise BadAddress from None


def _subject(messages: Sequence[Message], language: Language) -> str:
    if len(messages) > 1:
        return language.say(frame.SUBJECT_OF_DIGEST).format(count=len(messages))
    return messages[0].subject


def _linked(text: str, address: str) -> str:
    return escape(text).format(address=f'<a href="{escape(address)}">{escape(address)}</a>')
