"""The users of the databases: one for each service, with rights on its own database alone.

A service's user has the name of its database. It reads and writes there, creates collections and
indexes, and changes the expiry of an index. It can't drop a collection, such as its audit trail;
the gateway can, which replaces its views. Operators' commands have a user for all databases.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlsplit, urlunsplit

from pymongo.errors import OperationFailure

from services.registry import NAMES
from services.settings import Settings
from shared.mongo import Client, Document

OPERATOR = "operator"
ROLE = "carrel-service"
"""Role in the database of a service, and in `admin` the beginning of that of operators."""
_ROLE_EXISTS, _UNAUTHORIZED = 51002, 13
_ACTIONS = {
    *("find", "insert", "update", "remove", "changeStream", "killCursors"),
    *("createCollection", "createIndex", "dropIndex", "collMod"),
    *("listCollections", "listIndexes", "collStats", "dbStats", "dbHash"),
}
_REPLACE_VIEWS = {"dropCollection", "renameCollectionSameDB"}


def names(settings: Settings) -> dict[str, str]:
    """Return the user of each service and of operators; a service's is also its database."""
    return {name: f"{settings.database_prefix}_{name}" for name in (*NAMES, OPERATOR)}


def needed(service: str) -> set[str]:
    """Return the actions of MongoDB that a service's user needs in its database."""
    return _ACTIONS | (_REPLACE_VIEWS if service == "gateway" else set())


async def make_users(client: Client, settings: Settings) -> dict[str, str]:
    """Make the missing users and set the rights of all; return the passwords of new users.

    The client's own user may make users and roles. Existing users keep their passwords.
    """
    users = names(settings)
    operator = users.pop(OPERATOR)
    passwords: dict[str, str] = {}
    for name, user in users.items():
        act = {"resource": {"db": user, "collection": ""}, "actions": sorted(needed(name))}
        await _set_role(client, user, ROLE, [act], [])
        passwords |= await _set_user(client, user, [{"role": ROLE, "db": user}])
    look: list[Document] = [
        {"resource": {"cluster": True}, "actions": ["getParameter"]},
        {"resource": {"db": "admin", "collection": ""}, "actions": ["viewRole", "viewUser"]},
        *(
            {"resource": {"db": user, "collection": ""}, "actions": ["viewRole"]}
            for user in users.values()
        ),
    ]
    of_services = [{"role": ROLE, "db": user} for user in users.values()]
    await _set_role(client, "admin", operator, look, of_services)
    return passwords | await _set_user(client, operator, [{"role": operator, "db": "admin"}])


async def _set_role(
    client: Client, database: str, role: str, privileges: list[Document], roles: list[Any]
) -> None:
    rights = {"privileges": privileges, "roles": roles}
    try:
        await client[database].command({"createRole": role, **rights})
    except OperationFailure as error:
        if error.code != _ROLE_EXISTS:
            raise
        await client[database].command({"updateRole": role, **rights})


async def _set_user(client: Client, user: str, roles: list[Document]) -> dict[str, str]:
    """Make a user, or set the roles of an existing one; return the new password, if any."""
    if (await client.admin.command({"usersInfo": user}))["users"]:
        await client.admin.command({"updateUser": user, "roles": roles})
        return {}
    password = secrets.token_urlsafe(24)
    await client.admin.command({"createUser": user, "pwd": password, "roles": roles})
    return {user: password}


def url_for(url: str, user: str, password: str) -> str:
    """Return an address of the databases for another user."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote_plus(user)}:{quote_plus(password)}@{hosts}"))


async def excesses(client: Client, settings: Settings) -> Mapping[str, list[str]] | None:
    """Return by user what the users of services may do beyond what they need.

    A user who may not look at others sees itself only. A missing user is left out. Returns None if
    the databases ask for no user.
    """
    status = await client.admin.command({"connectionStatus": 1})
    own = [user["user"] for user in status["authInfo"]["authenticatedUsers"]]
    if not own:
        return None
    services = {user: name for name, user in names(settings).items() if name in NAMES}
    try:
        found = await _users(client, services)
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        found = await _users(client, [user for user in own if user in services])
    return {user: _beyond(user, rights, needed(services[user])) for user, rights in found.items()}


async def _users(client: Client, users: Iterable[str]) -> dict[str, list[Document]]:
    wanted = [{"user": user, "db": "admin"} for user in users]
    if not wanted:
        return {}
    answer = await client.admin.command({"usersInfo": wanted, "showPrivileges": True})
    return {user["user"]: user["inheritedPrivileges"] for user in answer["users"]}


def _beyond(database: str, rights: list[Document], actions: set[str]) -> list[str]:
    """Return what these rights allow beyond the needed actions on the one database."""
    found = []
    for right in rights:
        resource = right["resource"]
        if resource.get("db") == database:
            if more := sorted({*right["actions"]} - actions):
                found.append(f"{', '.join(more[:3])} in its database")
        elif resource.get("db"):
            found.append(f"{right['actions'][0]} in {resource['db']}")
        else:
            where = "in every database" if "db" in resource else "on the cluster"
            found.append(f"{right['actions'][0]} {where}")
    return list(dict.fromkeys(found))
