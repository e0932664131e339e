"""Roles and the rights that each is made of: the one table of what a kind of caller may do."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Right = Literal[
    "own-account",
    "own-pin",
    "desk",
    "lend",
    "override",
    "trace",
    "manage-staff",
    "manage-administrators",
    "operate",
    "call-services",
    "verify",
]
"""`own-account`: use one's own account as a patron. `own-pin`: choose one's own PIN.
`desk`: see and change what belongs to patrons and libraries.
`lend`: lend items and take them back. `trace`: see the visitors of a library.
`override`: lend, renew and reserve despite a limit or a block, with a reason.
`manage-staff`: manage the accounts of staff, stations and contact tracers.
`manage-administrators`: the same for accounts of administrators and operators.
`operate`: run and repair the system. `call-services`: what only services ask each other.
`verify`: ask whether a card and a PIN are right, with a budget of wrong PINs of one's own."""
RIGHTS: frozenset[Right] = frozenset(get_args(Right))
RIGHTS_OF_ROLES: Mapping[str, frozenset[Right]] = {
    "patron": frozenset({"own-account", "own-pin"}),
    "staff": frozenset({"own-pin", "desk", "lend"}),
    "supervisor": frozenset({"override"}),
    "station": frozenset({"lend", "verify"}),
    "verifier": frozenset({"verify"}),
    "tracer": frozenset({"own-pin", "trace"}),
    "admin": frozenset({"own-pin", "manage-staff"}),
    "ops": frozenset({"own-pin", "operate", "manage-staff", "manage-administrators"}),
    "service": frozenset({"call-services"}),
}
ROLES = tuple(RIGHTS_OF_ROLES)
Scope = Literal[
    "read_patron",
    "read_items",
    "write_items",
    "read_fees",
    "read_notifications",
    "delete_notifications",
    "change_password",
]
"""Part of a patron's rights that a program of others is given, named as in PAIA 1.4."""
_OF_ITEMS = frozenset({"GET /v1/me/loans", "GET /v1/me/holds"})
ROUTES_OF_SCOPES: Mapping[str, frozenset[str]] = {
    "read_patron": frozenset({"GET /v1/me", "GET /v1/me/contact"}),
    "read_items": _OF_ITEMS,
    "write_items": _OF_ITEMS
    | {"GET /v1/me", "POST /v1/holds", "DELETE /v1/holds/{hold_id}", "POST /v1/me/renewals"},
    "read_fees": frozenset({"GET /v1/me/charges"}),
    "read_notifications": frozenset({"GET /v1/me/inbox"}),
    "delete_notifications": frozenset({"POST /v1/me/inbox/{notification_id}/read"}),
    "change_password": frozenset({"PUT /v1/me/pin"}),
}
"""The only routes that a token with scopes opens, by scope; each with any scope may log out."""
_OF_ANY_SCOPE = frozenset({"DELETE /v1/sessions/current"})
INCLUDED_ROLES: Mapping[str, tuple[str, ...]] = {"supervisor": ("staff",)}
"""Further roles that an account has by its own: a supervisor is a librarian."""


def roles_of_account(role: str) -> tuple[str, ...]:
    """Return all roles of the holder of an account with this role."""
    return (*INCLUDED_ROLES.get(role, ()), role)


def rights_of(roles: Iterable[str]) -> frozenset[Right]:
    """Return the rights of a caller who has these roles."""
    return frozenset(right for role in roles for right in RIGHTS_OF_ROLES.get(role, ()))


def roles_with(rights: Iterable[Right]) -> frozenset[str]:
    """Return the roles that have at least one of these rights."""
    wanted = frozenset(rights)
    return frozenset(role for role, has in RIGHTS_OF_ROLES.items() if has & wanted)


def opens(scopes: Iterable[str], route: str) -> bool:
    """Return whether a token with these scopes opens a route, as `GET /v1/me`."""
    return route in _OF_ANY_SCOPE or any(
        route in ROUTES_OF_SCOPES.get(scope, ()) for scope in scopes
    )
