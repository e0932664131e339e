"""The event of changed preferences."""

from services.accounts.preferences.rules import Setting
from shared.contracts.accounts import PreferencesChanged


def preferences_event(setting: Setting) -> PreferencesChanged:
    """Build the event that publishes the preferences."""
    chosen = setting.preferences
    return PreferencesChanged(
        patron_id=chosen.id,
        followed_branches=chosen.followed_branches,
        activity_types=chosen.activity_types,
        language=setting.language,
        channels=chosen.channels,
        digest=chosen.digest,
        keep_history=chosen.keep_history,
        automatic_renewal=chosen.automatic_renewal,
        version=chosen.version,
    )
