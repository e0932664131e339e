"""The e-mails to patrons, applicants and staff, as text and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from html import escape

from services.notices.channels.clients.mail import (
    LANGUAGE_TAGS,
    envelope,
    html_page,
    with_body,
    with_link,
)
from services.notices.kinds.kind import Kind, Unknown
from services.notices.language import Language, language_of
from services.notices.messages.queries.texts import Message
from services.notices.settings import Settings
from shared.translations import marked

SUBJECT_OF_DIGEST = marked("Your library account: {count} messages")
SEE = marked("See your messages: {address}")
WHY = marked("You get this e-mail because you chose e-mail in My Setting.")
WHY_SECURITY = marked(
    "You get this e-mail because it is about the security of your account. It can't be turned off."
)
UNSUBSCRIBE = marked("Stop these e-mails: {address}")
KEEP = marked("Give this code to nobody. The library never asks you for it.")
STAFF_SUBJECT = marked("Choose the PIN of your library staff account")
STAFF_CODE = marked(
    "Choose the PIN of your staff account at the library with this code: {code}. It is valid for "
    "24 hours and for five tries."
)
CARD_SUBJECT = marked("Your application for a library card")
CARD_CODE = marked(
    "Your code: {code}. With it you get a provisional library card. It is valid for 24 hours and "
    "for five tries. If you did not apply for a card, you need not do anything."
)
SEE_CODE = marked("Enter the code here: {address}")


@dataclass(frozen=True)
class Recipient:
    """The recipient of one e-mail: the address, and what only this message may have."""

    address: str = field(repr=False)
    unsubscribe: str | None = field(repr=False)
    """Token of the link to unsubscribe; a librarian who gets a trial has none."""
    code: str | None = field(default=None, repr=False)
    """Code for a message that was asked for and is no notification only."""


@dataclass(frozen=True)
class CodeRecipient:
    """The recipient of an e-mail with a code: the address, and the code with its id."""

    address: str = field(repr=False)
    code_id: str
    code: str = field(repr=False)
    language: str | None = None
    """Language of an applicant for a card; None: somebody of the staff, whose account has none."""


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
    message = envelope(delivery_id, to.address, _subject(messages, language), at, settings)
    if to.code is not None:
        code_line = language.say(kind.code_text).format(code=to.code)
        text, html = _bodies_with_code(messages, language, code, code_line)
    else:
        unsubscribe = None
        if to.unsubscribe is not None and not kind.urgent:
            unsubscribe = f"{settings.public_url}/unsubscribe/{to.unsubscribe}"
            message["List-Unsubscribe"] = f"<{unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        why = WHY_SECURITY if kind.urgent else WHY
        url = settings.public_url
        text, html = bodies_of(messages, language, code, url, unsubscribe, why=why)
    return with_body(message, code, text, html)


def email_of_code(
    delivery_id: str, to: CodeRecipient, *, at: datetime, settings: Settings
) -> EmailMessage:
    """Return the message with a code to choose a PIN, or to confirm an application for a card.

    Somebody of the staff gets everything in each language. Raises BadAddress.
    """
    if to.language is None:
        languages: Sequence[str] = ("en", *LANGUAGE_TAGS)
        about, text, page = STAFF_SUBJECT, STAFF_CODE, "forgotten-pin"
    else:
        languages = (to.language,)
        about, text, page = CARD_SUBJECT, CARD_CODE, "register"
    link = f"{settings.public_url}/{page}/{to.code_id}"
    plain: list[str] = []
    html = ""
    for code in languages:
        say = language_of(code).say
        first, see = say(text).format(code=to.code), say(SEE_CODE)
        keep = say(KEEP)
        plain += [first, see.format(address=link), keep]
        parts = (escape(first), with_link(see, link), escape(keep))
        body = "".join(f"<p>{part}</p>" for part in parts)
        html += f'<div lang="{LANGUAGE_TAGS.get(code, code)}">{body}</div>'
    subject = " / ".join(language_of(code).say(about) for code in languages)
    message = envelope(delivery_id, to.address, subject, at, settings)
    return with_body(
        message, languages[0], "\n\n".join(plain) + "\n", html_page(html, languages[0])
    )


def bodies_of(
    messages: Sequence[Message],
    language: Language,
    code: str,
    url: str,
    unsubscribe: str | None,
    *,
    why: str = WHY,
) -> tuple[str, str]:
    """Return the text and the HTML of an e-mail; without a link to `unsubscribe` if it is None."""
    see = language.say(SEE)
    why = language.say(why)
    stop = language.say(UNSUBSCRIBE)
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
    linked = "" if unsubscribe is None else f"<br>{with_link(stop, unsubscribe)}"
    text = "\n\n".join([*paragraphs, see.format(address=inbox), *last]) + "\n"
    html = html_page(f"{body}<p>{with_link(see, inbox)}</p><hr><p>{escape(why)}{linked}</p>", code)
    return text, html


def _bodies_with_code(
    messages: Sequence[Message], language: Language, code: str, code_line: str
) -> tuple[str, str]:
    paragraphs = [paragraph for message in messages for paragraph in message.paragraphs]
    paragraphs += [code_line, language.say(KEEP)]
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return "\n\n".join(paragraphs) + "\n", html_page(html, code)


def _subject(messages: Sequence[Message], language: Language) -> str:
    if len(messages) > 1:
        return language.say(SUBJECT_OF_DIGEST).format(count=len(messages))
    return messages[0].subject
