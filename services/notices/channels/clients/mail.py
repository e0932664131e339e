"""The connection to the mail server, and the frame of every e-mail."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiosmtplib

from services.notices.channels.rules.deliveries import D, bounced, postponed, sent
from services.notices.settings import Settings
from shared.clock import wall_clock
from shared.failpoint import failpoint

STEP_SECONDS = 30.0
"""Time limit of each step of the protocol."""
SEND_SECONDS = 90.0
"""Time limit of one message with all steps; less than the lease of a delivery."""
LANGUAGE_TAGS = {"zh-Hant": "zh-Hant-HK", "zh-Hans": "zh-Hans"}


class MailServerAway(Exception):
    """The mail server can't be reached, or does not let us send; trying again may help.

    The message may have been accepted, if the connection broke before the answer.
    """

    def __init__(self, *, reached: bool = False) -> None:
        super().__init__("the mail server is away")
        self.reached = reached
        """True if the connection was there and broke: the next message may do better."""


class Refused(Exception):
    """The mail server refuses a message: for now with a code of 400, for good from 500 on."""

    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code

    @property
    def for_good(self) -> bool:
        """True if trying again can't help."""
        return self.code >= 500


class NotSendable(Exception):
    """The mail server can't take a message for this address, which is malformed or not ASCII."""


class Mailer:
    """A connection to the mail server, opened by the first message of an `async with` block."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username or None,
            password=settings.smtp_password or None,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            tls_context=_tls_context(settings),
            timeout=STEP_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    async def send(self, message: EmailMessage, address: str) -> None:
        """Send a message. Raises MailServerAway, Refused or NotSendable.

        No error repeats the address, so that it reaches no log.
        """
        reached = False
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._connect()
                reached = True
                await self._client.send_message(
                    message, sender=self._settings.sender.addr_spec, recipients=[address]
                )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise Refused(refused.recipients[0].code) from None
        except aiosmtplib.SMTPDataError as refused:
            raise Refused(refused.code) from None
        except (aiosmtplib.SMTPNotSupported, UnicodeError):
            raise NotSendable from None
        except aiosmtplib.SMTPSenderRefused as refused:
            if refused.code < 500:  # for now, as some servers do for one message in a rush
                raise Refused(refused.code) from None
            raise MailServerAway from None  # ours to correct, as a refused log-in
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()
            raise MailServerAway(reached=reached) from None

    async def _connect(self) -> None:
        if self._client.is_connected:
            return
        try:
            await self._client.connect()
        except aiosmtplib.SMTPNotSupported:  # no STARTTLS, for example
            raise MailServerAway from None


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    if settings.smtp_security == "none":
        return None
    return ssl.create_default_context(cafile=settings.smtp_ca_file or None)


class BadAddress(Exception):
    """An address that no header can hold; the error does not repeat it."""


def envelope(
    delivery_id: str, address: str, subject: str, at: datetime, settings: Settings
) -> EmailMessage:
    """Return a message with its headers and no body. Raises BadAddress."""
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.sender
    message["To"] = _to(address)
    message["Subject"] = subject
    message["Date"] = at
    message["Message-ID"] = f"<{delivery_id}@{urlsplit(settings.public_url).hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    return message


def with_body(message: EmailMessage, code: str, text: str, html: str) -> EmailMessage:
    """Return the message with a text, as text and as HTML, in the language with a code."""
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    message["Content-Language"] = LANGUAGE_TAGS.get(code, code)
    return message


def html_page(body: str, code: str) -> str:
    """Return a page with this body in the language with a code."""
    return f'<!doctype html><html lang="{code}"><meta charset="utf-8"><body>{body}</body></html>\n'


def _to(address: str) -> Address:
    try:
        return Address(addr_spec=address)
    except (MessageError, ValueError):
        raise BadAddress from None


def with_link(text: str, address: str) -> str:
    """Return a text as HTML in which an address, its placeholder, is a link."""
    return escape(text).format(address=f'<a href="{escape(address)}">{escape(address)}</a>')


async def hand_over(
    delivery: D, message: Callable[[], EmailMessage], address: str, mailer: Mailer
) -> D:
    """Give the mail server a message; return what became of it. Raises MailServerAway."""
    try:
        await mailer.send(message(), address)
    except (BadAddress, NotSendable):
        return bounced(delivery, wall_clock(), code=None)
    except Refused as refused:
        if refused.for_good:
            return bounced(delivery, wall_clock(), code=refused.code)
        return postponed(delivery, wall_clock(), code=refused.code)
    failpoint("delivery.sent")
    return sent(delivery, wall_clock())
