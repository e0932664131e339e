"""Turn off e-mail for a patron who unsubscribes by a link in a message."""

from dataclasses import dataclass

from services.accounts import store
from services.accounts.domain.preferences import Setting, choose
from services.accounts.domain.refusals import BadUnsubscribeLink
from services.accounts.usecases.choose_preferences import preferences_event
from shared.unit_of_work import Work


@dataclass(frozen=True)
class TurnOffEmail:
    """A patron who wants no more e-mail."""

    patron_id: str


def turn_off_email(work: Work, command: TurnOffEmail) -> None:
    """Take e-mail out of the chosen channels. Raises BadUnsubscribeLink for an erased patron."""
    patron = store.patron(work, command.patron_id)
    preferences = store.preferences(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or preferences is None or holder is None:
        raise BadUnsubscribeLink
    kept = tuple(channel for channel in preferences.channels if channel != "email")
    chosen = choose(preferences, channels=kept)
    if chosen != preferences:
        store.save_preferences(work, chosen)
        setting = Setting(chosen, chosen.language or patron.language, holder.reachable_by)
        work.record(preferences_event(setting))
