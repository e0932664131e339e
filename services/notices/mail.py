"""The mail server: sending one message at a time over a connection that is kept."""

import asyncio
import ssl
from email.message import EmailMessage
from types import TracebackType
from typing import Self

import aiosmtplib

from services.notices.settings import Settings

STEP_SECONDS = 30.0
"""Time limit of each step of the protocol."""
SEND_SECONDS = 90.0
"""Time limit of one message with all steps; less than the lease of a delivery."""


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
