"""The form of a backup: a folder with a file for each collection, and a list of these.

A file has the documents as BSON, compressed by gzip and encrypted by age for a public key, so that
other tools read it as well: `age -d -i KEY FILE | gunzip | bsondump`. The list has the checksum of
each file. Files are written and read as streams.
"""

import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from bson import Timestamp

LIST = "backup.json"
FORM = 1
MODE = 0o600
_LEVEL = 3
_GZIP = 31
"""zlib's number for the format of gzip."""
_PIECE = 1024 * 1024


class BackupError(Exception):
    """A backup can't be written, read or used; the text says what to do."""


@dataclass(frozen=True)
class Part:
    """The file of one collection."""

    service: str
    collection: str
    documents: int
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Its name in the folder."""
        return f"{self.service}.{self.collection}.bson.gz.age"


@dataclass(frozen=True)
class Backup:
    """The list of a backup."""

    release: str
    seconds: int
    """Cluster time at which the databases were read: seconds since 1970, UTC."""
    increment: int
    """The count within the second."""
    parts: tuple[Part, ...]

    @property
    def cluster_time(self) -> Timestamp:
        """The cluster time at which the databases were read."""
        return Timestamp(self.seconds, self.increment)

    @property
    def at(self) -> datetime:
        """The same as an instant, to the second."""
        return datetime.fromtimestamp(self.seconds, UTC)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"carrel-{self.at:%Y%m%dT%H%M%SZ}"

    @property
    def documents(self) -> int:
        """Number of documents in it."""
        return sum(part.documents for part in self.parts)

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(part.bytes for part in self.parts)


def write_part(
    folder: Path,
    service: str,
    collection: str,
    batches: Iterable[Sequence[bytes]],
    recipients: Sequence[Any],
) -> Part:
    """Write the documents of a collection, as BSON, to their file; return its entry."""
    import pyrage

    counted = 0

    def pieces() -> Iterator[bytes]:
        nonlocal counted
        packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        for batch in batches:
            counted += len(batch)
            yield packer.compress(b"".join(batch))
        yield packer.flush()

    path = folder / Part(service, collection, 0, 0, "").file
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
        hashed = _Hashed(file)
        source = _Pieces(pieces())
        try:
            pyrage.encrypt_io(source, hashed, list(recipients))
        except pyrage.EncryptError as error:
            raise source.error or hashed.error or error from None
        file.flush()
        os.fsync(file.fileno())
    return Part(service, collection, counted, hashed.bytes, hashed.digest.hexdigest())


def read_part(path: Path, identity: Any, save: Callable[[list[bytes]], None], most: int) -> None:
    """Give the documents of a file to `save`, at most `most` bytes at once.

    Raises BackupError if the key does not open the file.
    """
    import pyrage

    documents = _Documents(save, most)
    try:
        with path.open("rb") as file:
            pyrage.decrypt_io(file, documents, [identity])
    except pyrage.DecryptError:
        if documents.error:
            raise documents.error from None
        raise BackupError(
            f"{path.name} can't be decrypted with this key. Give the private key of one of the "
            "backup's recipients."
        ) from None
    documents.end()


def write_list(folder: Path, backup: Backup) -> None:
    """Write the list of a backup's files, which makes it whole."""
    content = {"form": FORM, **asdict(backup)}
    text = json.dumps({"backup": content, "sha256": _digest(content)}, indent=1)
    with os.fdopen(os.open(folder / LIST, os.O_WRONLY | os.O_CREAT, MODE), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def checked(folder: Path, update: Callable[[str], None] = lambda _: None) -> Backup:
    """Return the list of a backup whose files all have their checksums. Raises BackupError."""
    try:
        found = json.loads((folder / LIST).read_text())
        content = found["backup"]
        whole = found["sha256"] == _digest(content)
    except FileNotFoundError:
        raise BackupError(f"{folder} is no whole backup: it has no {LIST}. Give another.") from None
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise BackupError(f"{LIST} in {folder} is damaged. Give another backup.")
    if content.pop("form") != FORM:
        raise BackupError(f"A later release of Carrel made {folder}. Use that release.")
    parts = tuple(Part(**part) for part in content.pop("parts"))
    for number, part in enumerate(parts, 1):
        update(f"Checking file {number} of {len(parts)}")
        if _sha256(folder / part.file) != part.sha256:
            raise BackupError(
                f"{part.file} in {folder} is damaged or missing. Give another backup."
            )
    return Backup(parts=parts, **content)


def recipient_of(text: str) -> Any:
    """Return a public key of age. Raises BackupError."""
    import pyrage

    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BackupError(
            f"{text[:12]}… is no public key of age (age1…). Make a pair: carrel backup key FILE"
        ) from None


def identity_in(file: Path) -> Any:
    """Return the private key of age in a file. Raises BackupError."""
    import pyrage

    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
        [key] = [line for line in lines if line and not line.startswith("#")]
        return pyrage.x25519.Identity.from_str(key)
    except (OSError, ValueError, pyrage.IdentityError):
        raise BackupError(
            f"{file} has no private key of age (AGE-SECRET-KEY-…). Give the file that "
            "carrel backup key made."
        ) from None


def new_identity() -> tuple[str, str]:
    """Return a new private key of age, and its public key."""
    import pyrage

    made = pyrage.x25519.Identity.generate()
    return str(made), str(made.to_public())


class _Stream(io.RawIOBase):
    """A stream that keeps the error that ended it, of which age only tells a text."""

    error: Exception | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    except OSError:
        return ""
    return found.hexdigest()


class _Pieces(_Stream):
    """A file to read whose content comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            with self.kept():
                piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _Hashed(_Stream):
    """A file to write, with the checksum and size of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        with self.kept():
            return self._file.write(data)


class _Documents(_Stream):
    """Takes compressed BSON, and saves its documents in batches."""

    def __init__(self, save: Callable[[list[bytes]], None], most: int) -> None:
        self._save, self._most = save, most
        self._unpacker = zlib.decompressobj(wbits=_GZIP)
        self._rest = bytearray()
        self._batch: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._rest += self._unpacker.decompress(data)
        at = 0
        while len(self._rest) - at >= 4:
            size = int.from_bytes(self._rest[at : at + 4], "little")
            if len(self._rest) - at < size:
                break
            if self._batch and self._size + size > self._most:
                self._flush()
            self._batch.append(bytes(self._rest[at : at + size]))
            self._size += size
            at += size
        del self._rest[:at]
        return len(data)

    def _flush(self) -> None:
        with self.kept():
            self._save(self._batch)
        self._batch, self._size = [], 0

    def end(self) -> None:
        """Save the last documents. Raises BackupError if the end of the file is missing."""
        if self._batch:
            self._flush()
        if self._rest or not self._unpacker.eof:
            raise BackupError("A file of the backup has no end. Give another backup.")
