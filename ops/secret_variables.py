"""The secrets of a system as variables, made anew, and the part of them that each service gets.

A service gets what it uses and nothing else. Of what each service has for itself, the variable of
the whole system has the service's name at its end: CARREL_SERVICE_KEY_EVENTS.
"""

import secrets
from collections.abc import Mapping
from importlib import import_module

from services.registry import ISSUER, NAMES
from services.settings import Settings
from shared.assertions import make_key, public_halves

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
    kind: type[Settings] = import_module(f"services.{service}.settings").Settings
    settings = {f"CARREL_{name.upper()}" for name in kind.model_fields}
    used = {name: given[name] for name in (*_OTHERS, *_FROM_CARD_KEY) if name in settings}
    own = {name: given[f"{name}_{service.upper()}"] for name in OF_EACH}
    public = {"CARREL_SERVICE_KEYS": public_keys_of(given)} if service == ISSUER.service else {}
    return used | own | public


def variables_of_operators(given: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the variables for operators' commands, which ask the services as one of them."""
    private = {*_PRIVATE.values()}
    shared = {name: value for name, value in given.items() if name not in private}
    return shared | variables_of(given, service)
