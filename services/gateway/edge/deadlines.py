"""The requests that may take longer than a client usually waits: jobs, files, some previews."""

from starlette.types import Scope

from services.gateway.web.enquiries.uploads import has_files
from services.registry import SERVICES
from services.uploads import is_upload
from shared.http.operations import JOBS

_LONG_PREVIEWS = tuple(prefix for service in SERVICES for prefix in service.long_previews)


def takes_long(scope: Scope) -> bool:
    """Return whether a request is a job, has files, or previews the loans of many branches."""
    path: str = scope["path"]
    if path.startswith(_LONG_PREVIEWS):
        return b"preview=" in scope["query_string"]
    return path.startswith(JOBS) or is_upload(scope) or has_files(scope)
