"""Backups as files: one moment for all databases, checksums, keys, and interruptions."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner

from ops.backups import archive, loading, snapshot
from ops.backups.archive import Backup, BackupError
from ops.commands import backup as command
from services.settings import Settings

PRIVATE, PUBLIC = archive.new_identity()
Client = MongoClient[dict[str, Any]]


@pytest.fixture
def client(mongo_url: str) -> Iterator[Client]:
    found: Client = MongoClient(mongo_url)
    window = {"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 300}
    was = found.admin.command(window)["was"]
    yield found
    found.admin.command(window | {"minSnapshotHistoryWindowInSeconds": was})
    found.close()


@pytest.fixture
def system(mongo_url: str, database: str, client: Client) -> Settings:
    """Settings of a system with a few documents, of which some are larger than a batch."""
    of_circulation = client[f"{database}_circulation"]
    client[f"{database}_accounts"].outbox.insert_many([{"_id": f"e{n}"} for n in range(10)])
    of_circulation.loans.insert_many([{"_id": n, "text": "x" * 1_000_000} for n in range(12)])
    client[f"{database}_notices"].branches.insert_one({"_id": "B1", "version": 1})
    client[f"{database}_gateway"].account_views.insert_one({"_id": "a view"})
    client[f"{database}_gateway"].audit_trail.insert_one({"_id": "an act"})
    client[f"{database}_accounts"].sessions.insert_one({"_id": "a session"})
    return Settings(mongo_url=mongo_url, database_prefix=database)


def ignore(_: str) -> None:
    return None


def take(
    settings: Settings, to: Path, update: Callable[[str], None] = ignore
) -> tuple[Backup, Path]:
    return snapshot.take(settings, to, [archive.recipient_of(PUBLIC)], update)


def load(settings: Settings, backup: Backup, folder: Path, private: str = PRIVATE) -> None:
    file = folder.parent / "key"
    file.write_text(private)
    with snapshot.blocking_databases(settings) as databases:
        loading.load(databases, backup, folder, archive.identity_in(file), ignore)


def emptied(client: Client, settings: Settings) -> Settings:
    """Return the settings of the same databases, without data."""
    for service in ("accounts", "circulation", "notices", "gateway"):
        database = client[f"{settings.database_prefix}_{service}"]
        for name in database.list_collection_names():
            database[name].delete_many({})
    return settings


def test_all_databases_are_read_at_one_moment_while_others_write(
    system: Settings, client: Client, tmp_path: Path
) -> None:
    prefix = system.database_prefix

    def write(_: str) -> None:
        client[f"{prefix}_notices"].branches.update_one({"_id": "B1"}, {"$inc": {"version": 1}})
        client[f"{prefix}_circulation"].loans.delete_one({"_id": 11})
        client[f"{prefix}_accounts"].outbox.insert_one({})

    backup, folder = take(system, tmp_path, write)
    assert client[f"{prefix}_notices"].branches.count_documents({"version": 1}) == 0
    assert [one.stat().st_mode & 0o777 for one in (folder, *folder.iterdir())] == [
        0o700,
        *[0o600] * (len(backup.parts) + 1),
    ]
    assert {(part.service, part.collection) for part in backup.parts} == {
        ("accounts", "outbox"),
        ("circulation", "loans"),
        ("notices", "branches"),
        ("gateway", "audit_trail"),
    }, "no sessions and no views"
    again = emptied(client, system)
    load(again, archive.checked(folder), folder)
    assert client[f"{prefix}_accounts"].outbox.count_documents({}) == 10
    assert client[f"{prefix}_circulation"].loans.count_documents({}) == 12
    assert client[f"{prefix}_notices"].branches.find_one() == {"_id": "B1", "version": 1}


def test_a_snapshot_that_is_too_old_says_how_to_keep_it_longer(
    system: Settings, client: Client, tmp_path: Path
) -> None:
    admin, collection = client.admin, client[f"{system.database_prefix}_events"].activities

    def grow_old(_: str) -> None:
        admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=0)
        for _number in range(200):
            collection.insert_one({})

    with pytest.raises(BackupError, match=r"keeps states for 0 s.*setParameter: 1, minSnapshot"):
        take(system, tmp_path, grow_old)
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"


def test_a_damaged_backup_is_refused_before_anything_is_written(
    system: Settings, client: Client, tmp_path: Path
) -> None:
    _, folder = take(system, tmp_path)
    assert CliRunner().invoke(command.app, ["check", str(folder)]).exit_code == 0
    for file in sorted(folder.iterdir()):
        whole = file.read_bytes()
        middle = len(whole) // 2
        for damaged in (
            whole[:-1],
            whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        ):
            file.write_bytes(damaged)
            ran = CliRunner().invoke(command.app, ["check", str(folder)])
            assert (ran.exit_code, file.name in ran.output) == (1, True), ran.output
        file.unlink()
        with pytest.raises(BackupError, match="Give another"):
            archive.checked(folder)
        file.write_bytes(whole)
    archive.checked(folder)


def test_another_key_opens_nothing_and_writes_nothing(
    system: Settings, client: Client, tmp_path: Path
) -> None:
    backup, folder = take(system, tmp_path)
    emptied(client, system)
    another, _ = archive.new_identity()
    with pytest.raises(BackupError, match="can't be decrypted with this key"):
        load(system, backup, folder, another)
    for service in ("accounts", "circulation"):
        assert client[f"{system.database_prefix}_{service}"].restoring.count_documents({}) == 0
    with pytest.raises(BackupError, match="no private key of age"):
        load(system, backup, folder, PUBLIC)


def test_a_load_into_a_system_with_data_is_refused_and_one_interrupted_goes_on(
    system: Settings, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, folder = take(system, tmp_path)
    with pytest.raises(BackupError, match=r"has data already.*CARREL_DATABASE_PREFIX"):
        load(system, backup, folder)
    emptied(client, system)
    insert = loading.__dict__["_insert"]
    left = [3]

    def killed(collection: Any, batch: list[bytes]) -> None:
        if not left[0]:
            raise RuntimeError("killed")
        left[0] -= 1
        insert(collection, batch)

    with monkeypatch.context() as killing:
        killing.setattr(loading, "_insert", killed)
        with pytest.raises(RuntimeError, match="killed"):
            load(system, backup, folder)
    load(system, backup, folder)
    assert client[f"{system.database_prefix}_circulation"].loans.count_documents({}) == 12
    other, elsewhere = take(system, tmp_path / "another")
    with pytest.raises(BackupError, match="has data already"):
        load(system, other, elsewhere)


def test_a_pair_of_keys_is_made_once_and_used(tmp_path: Path) -> None:
    file = tmp_path / "backup.key"
    made = CliRunner().invoke(command.app, ["key", str(file)])
    public = made.stdout.strip().splitlines()[-1]
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(archive.identity_in(file).to_public()) == public
    assert archive.recipient_of(public)
    assert CliRunner().invoke(command.app, ["key", str(file)]).exit_code == 1
    with pytest.raises(BackupError, match="carrel backup key FILE"):
        archive.recipient_of("age1nonsense")
