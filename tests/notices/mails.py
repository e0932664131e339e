"""E-mails of tests: a mail server in the settings, the job, the log, and the parts of a message."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from services.notices.settings import Settings
from shared.mongo import Document
from tests.mail_server import MailServer
from tests.notices.library import STAFF
from tests.support import Api

MEI = "mei-ling@example.org"
BEFORE = "2020-10-01T10:00:00+08:00"
BOTH = ("inbox", "email")
OPEN = {"state": "open", "due_on": "2021-02-19", "title_id": "title-1"}


def with_mail(settings: Settings, server: MailServer, **more: Any) -> Settings:
    mail = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "mail_from": "City Library <library@example.org>",
        "public_url": "https://library.example.org",
    }
    plain = {"smtp_security": "none"}
    return Settings.model_validate({**settings.model_dump(), **plain, **mail, **more})


async def send(api: Api, at: str | None = None) -> int:
    """Run the job once; return the number of tries."""
    return await api.job("notices/deliveries", at=at)


async def log(api: Api, query: str = "") -> list[dict[str, Any]]:
    answer = await api.get(f"/v1/deliveries?{query}", as_=STAFF)
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def due_again(
    api: Api, *, queued_ago: timedelta | None = None, only: Document | None = None
) -> None:
    """Let the pause before the next try end, of the deliveries that match `only`."""
    deliveries = api.app.state.database.deliveries
    async for one in deliveries.find(only or {}):
        earlier = {"next_at": one["next_at"] - timedelta(days=2)}
        if queued_ago is not None:
            earlier["queued_at"] = one["queued_at"] - queued_ago
        await deliveries.update_one({"_id": one["_id"]}, {"$set": earlier})


def parts(message: EmailMessage) -> tuple[str, str]:
    """Return the text and the HTML of a message."""
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return str(text.get_content()), str(html.get_content())
