"""The environment of a system: its variables, its secrets, and the part that each service gets.

A service gets what it uses and nothing else. Of what each service has for itself, the variable of
the whole system has the service's name at its end: CARREL_SERVICE_KEY_EVENTS.
"""

import difflib
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TypeVar

from pydantic import ValidationError

from services.registry import ISSUER, NAMES
from services.settings import Settings
from shared import settings as chassis
from shared.assertions import make_key, public_halves
from shared.settings import FILE, PREFIX, BadFile, open_files, variables

S = TypeVar("S", bound=chassis.Settings)

OF_EACH = ("CARREL_SERVICE_KEY", "CARREL_AUDIT_KEYS")
"""Secrets that each service has for itself."""
CARD_KEY = "CARREL_CARD_KEY"
_FROM_CARD_KEY = (
    "CARREL_RESET_KEYS",
    "CARREL_DEVICE_KEYS",
    "CARREL_RENEWAL_KEYS",
    "CARREL_CALENDAR_KEYS",
    "CARREL_UNSUBSCRIBE_KEYS",
    "CARREL_RECOVERY_KEYS",
)
_OTHERS = (
    "CARREL_SERVICE_SECRET",
    CARD_KEY,
    "CARREL_SIGNING_SECRETS",
    "CARREL_VISIT_KEYS",
    "CARREL_WEBHOOK_KEYS",
)
_PRIVATE = {name: f"CARREL_SERVICE_KEY_{name.upper()}" for name in NAMES}
_AUDIT = {name: f"CARREL_AUDIT_KEYS_{name.upper()}" for name in NAMES}
OTHER_VARIABLES = (
    *("failpoint", "registry"),
    *("suite", "seeds", "stories", "image", "test_kafka", "test_infra"),
)
"""Variables that are no settings: of commands, tests and benchmarks, whose processes have them."""
NAMED = (*_OTHERS, *_FROM_CARD_KEY, *_PRIVATE.values(), *_AUDIT.values())
"""Variables of all secrets of a system."""


def missing_secrets(given: Mapping[str, str]) -> dict[str, str]:
    """Return a new value of each secret that is not given, by variable.

    In systems of earlier releases the card key had the purposes of keys that are missing: it is
    accepted as the former one of each, so that what was made with it goes on.
    """
    former = f",{given[CARD_KEY]}" if given.get(CARD_KEY) else ""
    made = {name: secrets.token_hex(32) for name in _OTHERS}
    made |= {name: secrets.token_hex(32) + former for name in (*_FROM_CARD_KEY, *_AUDIT.values())}
    made |= {name: make_key() for name in _PRIVATE.values()}
    return {name: value for name, value in made.items() if not given.get(name)}


def public_keys_of(given: Mapping[str, str]) -> str:
    """Return the public halves of the keys of the services: CARREL_SERVICE_KEYS."""
    return public_halves({service: given[name] for service, name in _PRIVATE.items()})


def variables_of(given: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the variables with the secrets that a service uses."""
    settings = {f"CARREL_{name.upper()}" for name in kind_of_settings(service).model_fields}
    used = {name: given[name] for name in (*_OTHERS, *_FROM_CARD_KEY) if name in settings}
    own = {name: given[f"{name}_{service.upper()}"] for name in OF_EACH}
    public = {"CARREL_SERVICE_KEYS": public_keys_of(given)} if service == ISSUER.service else {}
    return used | own | public


def variables_of_operators(given: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the variables for operators' commands, which ask the services as one of them."""
    private = {*_PRIVATE.values()}
    shared = {name: value for name, value in given.items() if name not in private}
    return shared | variables_of(given, service)


def kind_of_settings(service: str) -> type[Settings]:
    """Return the class of a service's settings."""
    kind: type[Settings] = import_module(f"services.{service}.settings").Settings
    return kind


def unknown(environment: Iterable[str]) -> list[str]:
    """Return a sentence for each `CARREL_…` variable that nothing reads, with the nearest known.

    All services may have one environment, so that the settings of all are known to each.
    """
    ours = sorted(name for name in map(str.upper, environment) if name.startswith(PREFIX))
    if not ours:
        return []
    fields = {name for service in NAMES for name in kind_of_settings(service).model_fields}
    named = {f"{PREFIX}{name.upper()}" for name in (*fields, *OTHER_VARIABLES)}
    named |= {f"{name}_{service.upper()}" for name in OF_EACH for service in NAMES}
    named |= {f"{PREFIX}{service.upper()}_URL" for service in NAMES}
    return [
        f"{name}: there is no such setting; the nearest is "
        + difflib.get_close_matches(name, sorted(named), 1, 0)[0]
        for name in ours
        if name.removesuffix(FILE) not in named and name not in named
    ]


def load(kind: type[S]) -> S:
    """Return the settings of the environment; a bad value ends the process with one clear error."""
    faults = unknown(os.environ)
    try:
        settings = kind()
    except BadFile as error:
        faults.append(str(error))
    except ValidationError as error:
        faults += [
            f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}"
            if fault["loc"]
            else fault["msg"]  # of several settings, which it names
            for fault in error.errors(include_input=False, include_url=False)
        ]
    if faults:
        sys.exit("Settings are wrong; correct these and start again:\n  " + "\n  ".join(faults))
    return settings


def load_to_serve(kind: type[S]) -> S:
    """Return the settings of a service; without its secrets the process ends with one error."""
    settings = load(kind)
    if missing := [name for name in kind.required if not getattr(settings, name)]:
        names = variables(missing)
        sys.exit(f"A service does not start without its secrets. Set {names} and start again.")
    return settings


def readable_by_everyone(kind: type[chassis.Settings]) -> list[str]:
    """Return the variables whose files everybody on the machine may read."""
    return list(open_files(kind.model_fields, os.environ))
