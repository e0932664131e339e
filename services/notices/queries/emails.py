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
from services.notices.settings import Settings

LANGUAGE_TAGS = {"zh-Hant": "zh-Hant-HK", "zh-Hans": "zh-Hans"}


class BadAddress(Exception):
    """An address that no header can hold; the error does not repeat it."""


@dataclass(frozen=True)
class Recipient:
    """The recipient of one e-mail: the address, and what only this message may have."""

    address: str = field(repr=False)
    unsubscribe: str = field(repr=False)
    """Token of the link to unsubscribe."""
    pin_code: str | None = field(default=None, repr=False)
    """Code to choose a new PIN, for a message that was asked for and is no notification only."""


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
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.sender
    message["To"] = _to(to.address)
    message["Subject"] = _subject(title, language)
    message["Date"] = at
    message["Message-ID"] = f"<{delivery_id}@{urlsplit(settings.public_url).hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    if to.pin_code is None:
        address = f"{settings.public_url}/unsubscribe/{to.unsubscribe}"
        message["List-Unsubscribe"] = f"<{address}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        stop = language.say(frame.UNSUBSCRIBE)
        see = language.say(frame.SEE)
        inbox = f"{settings.public_url}/inbox"
        plain = [see.format(address=inbox), language.say(frame.WHY), stop.format(address=address)]
        html = (
            f"<p>{_linked(see, inbox)}</p><hr><p>{escape(language.say(frame.WHY))}<br>"
            f"{_linked(stop, address)}</p>"
        )
    else:
        plain = [language.say(frame.CODE).format(code=to.pin_code), language.say(frame.KEEP)]
        html = "".join(f"<p>{escape(text)}</p>" for text in plain)
    message.set_content("\n\n".join([*texts, *plain]) + "\n")
    body = "".join(f"<p>{escape(text)}</p>" for text in texts)
    message.add_alternative(
        f'<!doctype html><html lang="{code}"><meta charset="utf-8"><body>{body}{html}'
        "</body></html>\n",
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
