"""Consumers of sessions that have ended."""

from services.accounts.openid.commands.log_out import end_session
from shared.bus.subscriptions import Subscriptions
from shared.clock import wall_clock
from shared.contracts.accounts import SessionEnded
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(SessionEnded)
async def end_grants_of_session(event: SessionEnded, run: Run) -> None:
    """End the grants of a session that has ended, and tell their clients."""
    await run(end_session, event.session_id, wall_clock())
