"""A form as a page shows it again: what was typed into it, and what of that is not right."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.gateway.web.api import Failure
from services.gateway.web.visit import Visit
from services.gateway.web.words import AT_FAULT, CHECK_FIELD, FILL_IN, PROBLEMS


@dataclass(frozen=True)
class Fields:
    """The fields of a form, by name."""

    typed: Visit | None = None
    """Whoever filled it in; None where nobody has."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """What is said beside a field, by its name."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Ids that are not the field's name, for that is another one's on the same page."""

    def text(self, name: str, default: object = None) -> str:
        """What a field says: as it was typed, or as it is to begin with."""
        return self.typed.text(name) if self.typed else str(default or "")

    def texts(self, name: str) -> list[str]:
        """What was ticked."""
        return self.typed.texts(name) if self.typed else []

    def id(self, name: str) -> str:
        """The id of a field, which links and messages name it by."""
        return self.ids.get(name, name)


def filled(visit: Visit, refused: Failure | None, **ids: str) -> Fields:
    """The form that was refused, as it was typed; an empty one if none was."""
    if refused is None:
        return Fields(ids=ids)
    if refused.status == 422:
        faults = {name: CHECK_FIELD if visit.text(name) else FILL_IN for name in refused.fields}
    else:
        name = AT_FAULT.get(refused.code)
        faults = {name: PROBLEMS[refused.code]} if name else {}
    return Fields(visit, faults, ids)
