"""A real mail server in this event loop: it keeps what it accepts, and can be made to refuse."""

import asyncio
import contextlib
import email
import email.policy
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import warm

ACCEPTED = "250 Accepted"


@dataclass
class MailServer:
    """The server; for each message the next answer, and ACCEPTED when there is none."""

    port: int = 0
    accepted: list[EmailMessage] = field(default_factory=list)
    """Messages that it has accepted, whether the client learnt of it or not."""
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[Any] = field(default_factory=list)
    password: bytes = b"secret"
    """The password of everybody who may send."""
    to_sender: deque[str] = field(default_factory=deque)
    """Answers to the next MAIL commands."""
    to_recipient: deque[str] = field(default_factory=deque)
    """Answers to the next RCPT commands."""
    to_data: deque[str] = field(default_factory=deque)
    """Answers to the next messages."""
    drops: int = 0
    """Number of next messages that it accepts and then drops the connection before it says so."""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: messages are accepted, and the answer waits."""
    answered: int = 0
    """Number of messages whose answer does not wait."""

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def handle_MAIL(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept or refuse a sender."""
        answer = self.to_sender.popleft() if self.to_sender else ACCEPTED
        if answer == ACCEPTED:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd names it
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Accept or refuse a recipient."""
        answer = self.to_recipient.popleft() if self.to_recipient else ACCEPTED
        if answer == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Accept or refuse a message."""
        answer = self.to_data.popleft() if self.to_data else ACCEPTED
        if answer != ACCEPTED:
            return answer
        content = cast(bytes, envelope.content)
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.accepted.append(message)
        self.recipients.extend(envelope.rcpt_tos)
        transport = cast(asyncio.Transport, server.transport)
        self.encrypted.append(transport.get_extra_info("ssl_object") is not None)
        if self.drops:
            self.drops -= 1
            transport.abort()
        if len(self.accepted) > self.answered:
            await self.may_answer.wait()
        return answer

    def log_in(
        self, _: SMTP, __: Session, ___: Envelope, ____: str, given: LoginPassword
    ) -> AuthResult:
        """Accept any name with the password."""
        self.logins.append(given.login)
        return AuthResult(success=given.password == self.password)

    @property
    def message_ids(self) -> list[str]:
        """The Message-ID of each accepted message, repeats included."""
        return [str(message["Message-ID"]) for message in self.accepted]


@contextlib.asynccontextmanager
async def listening(
    server: MailServer,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    log_in: bool = False,
) -> AsyncIterator[MailServer]:
    """Let the server listen on a port, which is the one that it had, until the block ends."""
    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        protocols.append(
            SMTP(
                server,
                hostname="mail.example.org",
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=server.log_in,
                auth_required=log_in,
                auth_require_tls=tls is None,
                enable_SMTPUTF8=False,
            )
        )
        return protocols[-1]

    loop = asyncio.get_running_loop()
    with warm.port_for("mail", server.port) as server.port:
        accepting = await loop.create_server(protocol, sock=warm.listening(server.port), ssl=tls)
        try:
            yield server
        finally:
            accepting.close()
            for one in protocols:
                if one.transport is not None:
                    cast(asyncio.Transport, one.transport).abort()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the TLS context of a server at 127.0.0.1, and the certificate that proves it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public
