"""The requests whose body is a file, and how large it may be."""

from collections.abc import Callable

from starlette.types import Scope

from services.registry import SERVICES
from services.settings import Settings
from shared.http.service import MAX_BODY

_PATHS = frozenset(path for service in SERVICES for path in service.uploads)


def is_upload(scope: Scope) -> bool:
    """Return whether the body of a request is a file."""
    return scope["method"] == "POST" and scope["path"] in _PATHS


def largest_body(settings: Settings) -> Callable[[Scope], int]:
    """Return the function that gives the greatest number of bytes in the body of a request."""
    return lambda scope: settings.attachment_bytes if is_upload(scope) else MAX_BODY
