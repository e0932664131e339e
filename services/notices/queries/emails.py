"""The e-mail that tells a patron of a notification, as text and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from urllib.parse import urlsplit

from services.notices.kinds import frame
from services.notices.kinds.language import Language
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
    pin_code: str | None = field(default=None, repr=False)
    """Code to choose a new PIN, for a message that was asked for and is no notification only."""


def email_of(
    delivery_id: str,
    messages: Sequence[Message],
    *,
    to: Recipient,
    code: str,
    language: Language,
    at: datetime,
    settings: Settings,
) -> EmailMessage:
    """Return the message with one or more notifications.

    Its Message-ID is the same at every try of the delivery. `code` is the code of `language`.
    Raises BadAddress.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.sender
    message["To"] = _to(to.address)
    message["Subject"] = _subject(messages, language)
    message["Date"] = at
    message["Message-ID"] = f"<{delivery_id}@{urlsplit(settings.public_url).hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    if to.pin_code is not None:
        text, html = _bodies_with_code(messages, language, code, to.pin_code)
    else:
        unsubscribe = None
        if to.unsubscribe is not None:
            unsubscribe = f"{settings.public_url}/unsubscribe/{to.unsubscribe}"
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        text, html = bodies_of(messages, language, code, settings.public_url, unsubscribe)
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    message["Content-Language"] = LANGUAGE_TAGS.get(code, code)
    return message


def bodies_of(
    messages: Sequence[Message], language: Language, code: str, url: str, unsubscribe: str | None
) -> tuple[str, str]:
    """Return the text and the HTML of an e-mail; without a link to `unsubscribe` if it is None."""
    see = language.say(frame.SEE)
    why = language.say(frame.WHY)
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
    messages: Sequence[Message], language: Language, code: str, pin_code: str
) -> tuple[str, str]:
    paragraphs = [paragraph for message in messages for paragraph in message.paragraphs]
    paragraphs += [language.say(frame.CODE).format(code=pin_code), language.say(frame.KEEP)]
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
