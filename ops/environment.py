"""The environment of a system: its variables, its secrets, and the part that each service gets.

A service gets what it uses and nothing else. Of what each service has for itself, the variable of
the whole system has the service's name at its end: CARREL_SERVICE_KEY_EVENTS.
"""

import difflib
import os
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import TypeVar

from pydantic import ValidationError

from services.registry import ISSUER, NAMES
from services.settings import Settings
from shared import settings as chassis
from shared.assertions import make_key, public_halves
from shared.settings import FILE, PREFIX, BadFile, Secret, open_files, variables

S = TypeVar("S", bound=chassis.Settings)

OTHER_VARIABLES = (
    *("failpoint", "registry", "secrets_folder"),
    *("suite", "seeds", "stories", "image", "test_kafka", "test_infra"),
)
"""Variables that are no settings: of commands, tests and benchmarks, whose processes have them, and
the folder of files with settings."""
CARD_KEY = "CARREL_CARD_KEY"
PUBLIC = "CARREL_SERVICE_KEYS"
"""Variable with the public halves of the keys of the services, for the one that checks them."""


@cache
def secrets_by_service() -> dict[str, dict[str, Secret]]:
    """Return the secrets that each service uses, by its name and their variable."""
    return {
        service: {
            f"{PREFIX}{name.upper()}": secret
            for name, secret in chassis.secrets_of(kind_of_settings(service)).items()
        }
        for service in NAMES
    }


def secrets_of_system() -> dict[str, Secret]:
    """Return all secrets by the variable that the whole system has for each."""
    return {
        named(variable, service, secret): secret
        for service, used in secrets_by_service().items()
        for variable, secret in used.items()
    }


def named(variable: str, service: str, secret: Secret) -> str:
    """Return the variable that the whole system has for a secret of a service."""
    return f"{variable}_{service.upper()}" if secret.of_each else variable


def missing_secrets(given: Mapping[str, str]) -> dict[str, str]:
    """Return a new value of each secret that is not given, and the public keys, by variable.

    In systems of earlier releases the card key had the purposes of keys that are missing: it is
    accepted as the former one of each, so that what was made with it goes on.
    """
    former = f",{given[CARD_KEY]}" if given.get(CARD_KEY) else ""
    made = {
        name: _MADE[secret.kind]() + (former if secret.was_card_key else "")
        for name, secret in secrets_of_system().items()
        if not given.get(name)
    }
    if not given.get(PUBLIC):
        made[PUBLIC] = _public_keys_of(made | dict(given))
    elif added := _public_keys_of(made):
        made[PUBLIC] = f"{given[PUBLIC]},{added}"
    return made


_MADE: Mapping[str, Callable[[], str]] = {
    "text": lambda: secrets.token_hex(32),
    "service-key": make_key,
    "device-key": lambda: urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="),
}


def _public_keys_of(given: Mapping[str, str]) -> str:
    keys = {
        service: given[name]
        for service, used in secrets_by_service().items()
        for variable, secret in used.items()
        if secret.kind == "service-key" and (name := named(variable, service, secret)) in given
    }
    return public_halves(keys)


def variables_of(given: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the variables with the secrets that a service uses."""
    used = secrets_by_service()[service].items()
    own = {variable: given[named(variable, service, secret)] for variable, secret in used}
    return own | ({PUBLIC: given[PUBLIC]} if service == ISSUER.service else {})


def take_own(service: str) -> None:
    """Let this process find the secrets of a service in the environment of the whole system."""
    for variable, secret in secrets_by_service()[service].items():
        for end in ("", FILE) if secret.of_each else ():
            whole = os.environ.get(named(variable, service, secret) + end)
            if whole and not os.environ.get(variable) and not os.environ.get(variable + FILE):
                os.environ[variable + end] = whole


def variables_of_operators(given: Mapping[str, str], service: str) -> dict[str, str]:
    """Return the variables for operators' commands, which ask the services as one of them."""
    private = {name for name, one in secrets_of_system().items() if one.kind == "service-key"}
    shared = {name: value for name, value in given.items() if name not in private}
    # The keys of its own seals are among those of all.
    own = {k: v for k, v in variables_of(given, service).items() if k != "CARREL_AUDIT_KEYS"}
    return shared | own


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
    known = {f"{PREFIX}{name.upper()}" for name in (*fields, *OTHER_VARIABLES)}
    known |= {*secrets_of_system(), *(f"{PREFIX}{service.upper()}_URL" for service in NAMES)}
    return [
        f"{name}: there is no such setting; the nearest is "
        + difflib.get_close_matches(name, sorted(known), 1, 0)[0]
        for name in ours
        if name.removesuffix(FILE) not in known and name not in known
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
    if settings.tls_ca_file and not settings.tls_certificate_file:
        names = variables(["tls_certificate_file", "tls_key_file"])
        sys.exit(f"A service with CARREL_TLS_CA_FILE needs {names}. Set them and start again.")
    return settings


def readable_by_everyone(kind: type[chassis.Settings]) -> list[str]:
    """Return the variables whose files everybody on the machine may read."""
    return list(open_files(kind.model_fields, os.environ))
