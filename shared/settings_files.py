"""Settings whose values are in files, as orchestrators mount secrets: `CARREL_…_FILE`.

A variable of the environment is seen by everybody who may look at a process or its container; a
file has an owner.
"""

import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

SUFFIX = "_FILE"
MOST_BYTES = 64 * 1024


class BadFile(Exception):
    """The file of a setting can't be used; the text names the variable and never the content."""


def values_in_files(
    prefix: str, fields: Collection[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings that are given by a file, without the end of their line.

    Raises BadFile for one that is also given by its variable, and for a file that can't be read.
    """
    found = {}
    for name, variable, path in _given(prefix, fields, environment):
        by_value = variable.removesuffix(SUFFIX)
        if environment.get(by_value):
            raise BadFile(f"{by_value} and {variable} are both set. Set one of them.")
        found[name] = _content(variable, path)
    return found


def open_files(
    prefix: str, fields: Collection[str], environment: Mapping[str, str]
) -> Iterator[str]:
    """Yield the variables whose files everybody on the machine may read."""
    for _, variable, path in _given(prefix, fields, environment):
        if Path(path).stat().st_mode & stat.S_IROTH:
            yield variable


def without_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the files of settings that it also gives by variables."""
    return {
        name: value
        for name, value in environment.items()
        if not (name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in environment)
    }


def _given(
    prefix: str, fields: Collection[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for name in fields:
        variable = f"{prefix}{name.upper()}{SUFFIX}"
        # A setting such as smtp_ca_file is itself the path of a file.
        if environment.get(variable) and f"{name}{SUFFIX.lower()}" not in fields:
            yield name, variable, environment[variable]


def _content(variable: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise BadFile(f"{variable}: {path} has more than {MOST_BYTES} bytes.")
        return content.decode().rstrip("\r\n")
    except OSError as error:
        raise BadFile(f"{variable}: {path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadFile(f"{variable}: {path} is not text in UTF-8.") from None
