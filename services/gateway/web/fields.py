"""The fields of a form shown again: what was typed, and messages beside invalid fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.gateway.web.api import Failure
from services.gateway.web.visit import Visit
from services.gateway.web.words import AT_FAULT, CHECK_FIELD, FILL_IN, PROBLEMS, TOO_LONG


@dataclass(frozen=True)
class Fields:
    """The fields of a form, by name."""

    typed: Visit | None = None
    """Visit that sent the form; None for a form not yet filled in."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Message beside a field, by the field's name."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Ids of fields whose name is already an id of the same page."""

    def text(self, name: str, default: object = None) -> str:
        """Return the typed text of a field, or its initial value."""
        return self.typed.text(name) if self.typed else str(default or "")

    def texts(self, name: str) -> list[str]:
        """Return the ticked values of a field."""
        return self.typed.texts(name) if self.typed else []

    def id(self, name: str) -> str:
        """Return the id of a field, used by links and messages."""
        return self.ids.get(name, name)


def filled(visit: Visit, refused: Failure | None, **ids: str) -> Fields:
    """Return the refused form as it was typed; an empty form if there was no refusal."""
    if refused is None:
        return Fields(ids=ids)
    if refused.fields:
        faults = {name: _fault(name, visit, refused) for name in refused.fields}
    else:
        about = AT_FAULT.get(refused.code, ())
        names = [about] if isinstance(about, str) else [one for one in about if one in visit.form]
        faults = dict.fromkeys(names, PROBLEMS[refused.code])
    return Fields(visit, faults, ids)


def _fault(name: str, visit: Visit, refused: Failure) -> str:
    if name in refused.too_long:
        return TOO_LONG
    return CHECK_FIELD if visit.text(name) else FILL_IN
