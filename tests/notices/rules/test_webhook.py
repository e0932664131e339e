"""The state of a webhook after its messages."""

from datetime import UTC, datetime, timedelta

from services.notices.channels.rules.webhooks import NOTED_EVERY, Webhook, failed, succeeded

NOON = datetime(2021, 3, 1, 4, tzinfo=UTC)
JUST_AFTER = NOON + NOTED_EVERY - timedelta(milliseconds=1)
LATER = NOON + NOTED_EVERY


def test_a_success_just_after_another_changes_nothing() -> None:
    webhook = succeeded(Webhook("w", 1, 0, "https://a.example", (), "sealed", NOON), NOON)
    assert webhook.last_success_at == NOON
    assert succeeded(webhook, JUST_AFTER) is webhook
    assert succeeded(webhook, LATER).last_success_at == LATER
    failing = failed(webhook, "away", NOON, None)
    assert succeeded(failing, JUST_AFTER).failing_since is None
