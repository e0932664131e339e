"""Scripts and styles of the page. Each address contains a digest, so browsers may keep the file."""

import gzip
import hashlib
import importlib.util
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastapi import APIRouter, Request, Response

from shared.http.problems import NotFound

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent / "static"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


DESK_WORKER, PATRON_WORKER = "desk-worker.js", "patron-worker.js"
_SCOPES = {PATRON_WORKER: "/", DESK_WORKER: "/desk"}
"""Paths that begin those of the pages which a worker is for, wherever its file is."""
OFFLINE_FILES = ("page.css", "mark.svg", "desk-queue.js", "offline.js")
"""Files of the page that a desk keeps for the time without a network."""


@dataclass(frozen=True)
class File:
    """A file that pages refer to."""

    content: bytes
    kind: str

    @cached_property
    def compressed(self) -> bytes:
        """The content in the smallest form of gzip, made once for all requests."""
        return gzip.compress(self.content, 9, mtime=0)

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


def _joined(*names: str) -> File:
    """Return several files as one, which is one request."""
    parts = [_read(_FOLDER / name) for name in names]
    return File(b"".join(part.content for part in parts), parts[0].kind)


def _schemes() -> File:
    """Return the colours of both schemes by class, for the page that shows them side by side."""
    tokens = _read(_FOLDER / "tokens.css")
    light, dark = re.findall(r":root {(.*?)\n *}", tokens.content.decode(), re.DOTALL)[:2]
    parts = (("light", light), ("dark", light + dark))
    rules = [f".{name} {{{values}\n  color-scheme: {name}; }}" for name, values in parts]
    rules.append(".scheme { padding: 1rem; background: var(--ground); color: var(--ink); }")
    return File("\n".join(rules).encode(), tokens.kind)


FILES = {
    **{path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _KINDS},
    "page.css": _joined("tokens.css", "page.css", "account.css"),
    **{name: _joined("worker.js", name) for name in _SCOPES},
    **{name: _joined("scanner.js", name) for name in ("desk.js", "offline.js")},
    "schemes.css": _schemes(),
    "htmx.js": _read(_htmx()),
}


def address(name: str) -> str:
    """Return the path of a file for use in a page."""
    return f"/static/{FILES[name].digest}/{name}"


@router.get("/static/{digest}/{name}")
async def get_file(request: Request, digest: str, name: str) -> Response:
    """Return a file. With another version's digest, return the present file as not cacheable."""
    file = FILES.get(name)
    if file is None:
        raise NotFound("file")
    lasting = "public, max-age=31536000, immutable" if digest == file.digest else "no-cache"
    headers = {"Cache-Control": lasting, "X-Content-Type-Options": "nosniff"}
    headers["Vary"] = "Accept-Encoding"
    if name in _SCOPES:
        headers["Service-Worker-Allowed"] = _SCOPES[name]
        # A worker has the policy of its script, not that of a page.
        headers["Content-Security-Policy"] = "default-src 'none'; connect-src 'self'"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.content, headers=headers, media_type=file.kind)
    headers["Content-Encoding"] = "gzip"
    return Response(file.compressed, headers=headers, media_type=file.kind)
