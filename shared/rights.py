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
]
"""`own-account`: use one's own account as a patron. `own-pin`: choose one's own PIN.
`desk`: see and change what belongs to patrons and libraries.
`lend`: lend items and take them back. `trace`: see the visitors of a library.
`override`: lend, renew and reserve despite a limit or a block, with a reason.
`manage-staff`: manage the accounts of staff, stations and contact tracers.
`manage-administrators`: the same for accounts of administrators and operators.
`operate`: run and repair the system. `call-services`: what only services ask each other."""
RIGHTS: frozenset[Right] = frozenset(get_args(Right))
RIGHTS_OF_ROLES: Mapping[str, frozenset[Right]] = {
    "patron": frozenset({"own-account", "own-pin"}),
    "staff": frozenset({"own-pin", "desk", "lend"}),
    "supervisor": frozenset({"override"}),
    "station": frozenset({"lend"}),
    "tracer": frozenset({"own-pin", "trace"}),
    "admin": frozenset({"own-pin", "manage-staff"}),
    "ops": frozenset({"own-pin", "operate", "manage-staff", "manage-administrators"}),
    "service": frozenset({"call-services"}),
}
ROLES = tuple(RIGHTS_OF_ROLES)
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
