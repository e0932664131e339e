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
from services.notices.kinds.language import Language, language_of
from services.notices.settings import Settings

LANGUAGE_TAGS = {"zh-Hant": "zh-Hant-HK", "zh-Hans": "zh-Hans"}


class BadAddress(Exception):
    """An address that no header can hold; the error does not repeat it."""


@dataclass(frozen=True)
class Recipient:
    """The recipient of one e-mail: the address, and the token of the link to unsubscribe."""

    address: str
    unsubscribe: str


@dataclass(frozen=True)
class GuestLink:
    """The recipient of an e-mail to a guest: the address, and the token of the link."""

    address: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """The words of an e-mail to a guest; `see` has the place of the link."""

    subject: str
    text: str
    see: str
    after: str


def email_of(
    delivery_id: str,
    title: str | None,
    texts: Sequence[str],
    *,
    to: Recipient,
    code: str,
    language: Language,
    at: datetime,
    settings: Settings,
) -> EmailMessage:
    """Return the message. Its Message-ID is the same at every try of the delivery.

    `code` is the code of `language`. Raises BadAddress.
    """
    unsubscribe = f"{settings.public_url}/unsubscribe/{to.unsubscribe}"
    message = _envelope(delivery_id, to.address, _subject(title, language), at, settings)
    message["List-Unsubscribe"] = f"<{unsubscribe}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    see = language.say(frame.SEE)
    stop = language.say(frame.UNSUBSCRIBE)
    why = language.say(frame.WHY)
    inbox = f"{settings.public_url}/inbox"
    plain = [*texts, see.format(address=inbox), why, stop.format(address=unsubscribe)]
    body = "".join(f"<p>{escape(text)}</p>" for text in texts)
    html = (
        f"{body}<p>{_linked(see, inbox)}</p><hr>"
        f"<p>{escape(why)}<br>{_linked(stop, unsubscribe)}</p>"
    )
    return _with_body(message, code, plain, html)


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
    plain = [letter.text, letter.see.format(address=link), letter.after]
    before = f"<p>{escape(letter.text)}</p>" if letter.text else ""
    html = f"{before}<p>{_linked(letter.see, link)}</p><p>{escape(letter.after)}</p>"
    return _with_body(message, guest.language, [text for text in plain if text], html)


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


def _with_body(message: EmailMessage, code: str, plain: Sequence[str], html: str) -> EmailMessage:
    message.set_content("\n\n".join(plain) + "\n")
    message.add_alternative(
        f'<!doctype html><html lang="{code}"><meta charset="utf-8"><body>{html}</body></html>\n',
        subtype="html",
    )
    message["Content-Language"] = LANGUAGE_TAGS.get(code, code)
    return message


def _to(address: str) -> Address:
    try:
        return Address(addr_spec=address)
    except (MessageError, ValueError):
        raise BadAddress from None


def _subject(title: str | None, language: Language) -> str:
    if title is None:
        return language.say(frame.SUBJECT_WITHOUT_TITLE)
    # A title may have any characters; a header must be one line.
    return language.say(frame.SUBJECT).format(title=" ".join(title.split())[:200])


def _linked(text: str, address: str) -> str:
    return escape(text).format(address=f'<a href="{escape(address)}">{escape(address)}</a>')
