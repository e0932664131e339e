"""Scripts and styles of the page. Each address contains a digest, so browsers may keep the file."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Response

from shared.http.problems import NotFound

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


WORKER = "push-worker.js"
"""The script that shows messages on a device. It is for all pages, wherever its file is."""


@dataclass(frozen=True)
class File:
    """A file that pages refer to."""

    content: bytes
    kind: str

    @property
    def digest(self) -> str:
        """Digest of the content, used in the file's address."""
        return hashlib.sha256(self.content).hexdigest()[:16]


def _htmx() -> Path:
    # The package django-htmx brings the htmx script along; nothing else of it is used.
    found = importlib.util.find_spec("django_htmx")
    if found is None or found.origin is None:
        raise RuntimeError("django-htmx is not installed: install requirements.lock")
    return Path(found.origin).parent / "static" / "django_htmx" / "htmx-2.min.js"


def _read(path: Path) -> File:
    return File(path.read_bytes(), _KINDS[path.suffix])


FILES = {
    **{path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _KINDS},
    "htmx.js": _read(_htmx()),
}


def address(name: str) -> str:
    """Return the path of a file for use in a page."""
    return f"/static/{FILES[name].digest}/{name}"


@router.get("/static/{digest}/{name}")
async def get_file(digest: str, name: str) -> Response:
    """Return a file. With another version's digest, return the present file as not cacheable."""
    file = FILES.get(name)
    if file is None:
        raise NotFound("file")
    lasting = "public, max-age=31536000, immutable" if digest == file.digest else "no-cache"
    headers = {"Cache-Control": lasting, "X-Content-Type-Options": "nosniff"}
    if name == WORKER:
        headers["Service-Worker-Allowed"] = "/"
    return Response(file.content, headers=headers, media_type=file.kind)
