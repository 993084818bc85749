"""What a backup is: two sealed files of one moment, without values and without keys where they do not belong, proven before it counts."""

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from keys.packages import PackageKey
from keys.secret import Secret
from tests.backup.rescue import Rescue
from tests.household import FATIMA, grant, store
from tests.journeys.traces import Canaries
from tests.simulator import World
from vault.access_log.journal_note import NAME
from vault.backup import parts, proving, scratch, taking
from vault.backup.journals import copy_journal
from vault.backup.manifest import look
from vault.backup.refused import BackupRefused
from vault.backup.taking import check, read_recipient, take
from vault.errors import VaultError
from vault.records import tables
from vault.storage.engine import Database
from vault.storage.metadata import metadata
from vault.subjects import tables as subjects

pytestmark = pytest.mark.asyncio(loop_scope="function")


def all_frames(rescue: Rescue, copy: Any, part: str) -> list[list[Any]]:
    return list(rescue.sources(copy).frames(part))


def wrapped_keys(world: World) -> list[bytes]:
    """Every wrapped key in the database."""
    found = []
    with world.database.connect() as connection, connection.begin():
        for table in metadata.sorted_tables:
            if parts.WRAPPED in table.c:
                found += [bytes(one) for one in connection.execute(table.select().with_only_columns(table.c.wrapped)).scalars()]
    return found


async def test_no_planted_value_is_in_any_file_sealed_or_opened_and_no_key_in_the_data(rescue: Rescue):
    world, canaries = rescue.world, Canaries(random.Random())
    fields = {
        "full_name": canaries.text(),
        "national_id": canaries.number("1000000008"),
        "mobile": canaries.number("0551234567"),
        "health_note": canaries.text(),
        "email": f"{canaries.ascii()}@example.com",
    }
    kept = await store(world, fields)
    await grant(world, kept.record)
    copy = rescue.take()
    marks = [canaries.arabic.encode(), canaries.latin.encode(), *(number.lstrip("0").encode() for number in canaries.numbers)]
    opened = {part: repr(all_frames(rescue, copy, part)).encode() for part in (parts.DATA, parts.KEYS)}
    raw = {path.name: path.read_bytes() for path in copy.folder.iterdir()}
    assert set(raw) == {"data", "keys", "manifest", "checkpoint"}
    for content in (*opened.values(), *raw.values()):
        assert not [mark for mark in marks if mark in content]
    assert repr(kept.record)[2:-1].encode() in opened["data"], "the frames are what was looked through"
    keys = wrapped_keys(world)
    assert len(keys) > 10
    for key in keys:
        assert repr(key).encode() not in opened["data"]
        assert repr(key).encode() in opened["keys"]
    epochs = (world.folder / "epochs").read_text().split()
    assert not [word for word in epochs if len(word) > 20 and word.encode() in b"".join(opened.values()) + b"".join(raw.values())][1:]
    assert [path for path in world.folder.iterdir() if path.is_dir()] == [], "the scratch is gone"


async def test_the_index_is_in_neither_file_and_every_other_column_in_one():
    data, keys = ({share.table.name: set(share.names) for share in parts.shares(part)} for part in (parts.DATA, parts.KEYS))
    for table in metadata.sorted_tables:
        both = data.get(table.name, set()) | keys.get(table.name, set())
        assert both == (set() if table.name == "record_token" else {column.name for column in table.c})
    assert not [name for name, columns in data.items() if "wrapped" in columns]


async def test_the_log_tells_of_the_copy_and_its_proof_and_names_no_path(rescue: Rescue):
    kept = await store(rescue.world)
    copy = rescue.take()
    made, verified = rescue.world.entries()[-2:]
    assert (made.kind, made.count, verified.kind) == ("backup.made", copy.manifest.head.size, "backup.verified")
    assert verified.count == 6, "the classes of a beneficiary"
    assert made.flags == verified.flags == (f"backup:{copy.manifest.backup}", f"manifest:{copy.digest}")
    assert copy.manifest.recipients == (rescue.key.fingerprint,)
    assert copy.manifest.rows_of("data")["subject_record"] == 1
    assert kept.revision == 1
    proof = check(rescue.world.association, rescue.sources(copy), rescue.world.clock)
    assert (proof.entries, proof.containers) == (copy.manifest.head.size, 6)
    assert rescue.world.entries()[-1].kind == "backup.verified"


async def test_a_copy_is_of_one_moment_while_others_write(rescue: Rescue, empty: str):
    world = rescue.world
    for number in range(5):
        await store(world, {**FATIMA, "full_name": f"شخص {number}"})
    made: list[Any] = []

    async def write() -> None:
        while not made:
            await store(world)

    async def copy() -> None:
        try:
            made.append(await asyncio.to_thread(take, world.association, rescue.folder / "copies", [rescue.key.public], world.clock))
        except BaseException:
            made.append(None)
            raise

    await asyncio.gather(write(), copy())
    done = rescue.restore(empty, rescue.home("epochs"), look(made[0].backup.folder), without_journal=True)
    assert (done.epoch, done.unopened) == (2, 0)


async def test_what_does_not_open_is_no_copy(small_rescue: Rescue, tmp_path: Path):
    world = small_rescue.world
    await store(world)
    with world.database.connect() as connection, connection.begin():
        for row in connection.execute(select(tables.container)).all():
            own = tables.container.c
            longer = update(tables.container).where(own.record == row.record, own.class_id == row.class_id)
            connection.execute(longer.values(container=row.container + b"\x00"))
    with pytest.raises(BackupRefused, match="backup-not-proven"):
        small_rescue.take()
    assert list((small_rescue.folder / "copies").iterdir()) == []
    assert [path for path in world.folder.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("what", ["sheet", "log", "type"])
async def test_what_does_not_hold_is_no_copy(small_rescue: Rescue, what: str):
    world = small_rescue.world
    await store(world)
    with world.database.connect() as connection, connection.begin():
        if what == "sheet":
            connection.execute(update(subjects.sheet).values(version=7))
        elif what == "log":
            connection.exec_driver_sql("DELETE FROM access_log_entry WHERE number = 3")
        else:
            connection.exec_driver_sql("UPDATE subject_event SET sealed = 'text'")
    with pytest.raises(VaultError) as refused:
        small_rescue.take()
    assert refused.value.code == ("backup-not-proven" if what == "sheet" else "integrity")


async def test_a_second_copy_at_the_same_time_and_one_of_the_same_second_are_refused(small_rescue: Rescue, tmp_path: Path):
    world = small_rescue.world
    with scratch.alone(world.folder), pytest.raises(BackupRefused, match="backup-running"):
        small_rescue.take()
    take(world.association, tmp_path / "to", [small_rescue.key.public], world.clock)
    with pytest.raises(BackupRefused, match="backup-there"):
        take(world.association, tmp_path / "to", [small_rescue.key.public], world.clock)


async def test_what_a_killed_copy_left_is_removed_by_the_next(small_rescue: Rescue):
    left = small_rescue.folder / "copies" / f"{small_rescue.world.code}-20200101T000000Z.part"
    left.mkdir(parents=True)
    (left / "data").write_bytes(b"half")
    (small_rescue.world.folder / scratch.FOLDER).mkdir()
    copy = small_rescue.take()
    assert sorted(small_rescue.folder.glob("copies/*")) == [copy.folder]
    assert not (small_rescue.world.folder / scratch.FOLDER).exists()


async def test_a_recipient_is_what_keygen_prints(tmp_path: Path, small_rescue: Rescue):
    public = small_rescue.key.public
    assert read_recipient(b'{"type": "hpke-x25519", "public": "%s"}' % public.encode()) == public
    for wrong in (b"", b"\xff", b'{"type": "age", "public": "x"}', b'{"type": "hpke-x25519", "public": "x"}'):
        with pytest.raises(BackupRefused, match="backup-recipient"):
            read_recipient(wrong)
    with pytest.raises(BackupRefused, match="backup-recipient"):
        take(small_rescue.world.association, tmp_path, ["x"], small_rescue.world.clock)


async def test_a_sample_is_taken_wherever_the_random_id_falls(small_rescue: Rescue, monkeypatch: pytest.MonkeyPatch):
    await store(small_rescue.world)
    monkeypatch.setattr(proving, "os", SimpleNamespace(urandom=lambda _: b"\xff" * 16))
    small_rescue.take()
    assert small_rescue.world.entries()[-1].count == 6


async def test_the_journal_is_copied_with_its_note_and_apart(small_rescue: Rescue, tmp_path: Path):
    copy_journal(small_rescue.world.folder, tmp_path / "j")
    assert sorted(path.name for path in (tmp_path / "j").iterdir()) == ["journal"], "a vault that signed nothing yet has no note"
    small_rescue.take()
    copy_journal(small_rescue.world.folder, tmp_path / "j")
    assert sorted(path.name for path in (tmp_path / "j").iterdir()) == ["journal", NAME]
    assert (tmp_path / "j" / NAME).stat().st_mode & 0o777 == 0o600


async def test_another_persons_key_and_another_associations_copy_are_foreign(small_rescue: Rescue, tmp_path: Path):
    world, copy = small_rescue.world, small_rescue.take()
    stranger = Rescue(world, tmp_path, PackageKey(Secret(bytes(31) + b"\x09")))
    with pytest.raises(BackupRefused, match="backup-foreign"):
        check(world.association, stranger.sources(copy), world.clock)
    object.__setattr__(copy.manifest, "association", "00" * 16)
    with pytest.raises(BackupRefused, match="backup-foreign"):
        check(world.association, small_rescue.sources(copy), world.clock)
    with pytest.raises(BackupRefused, match="backup-foreign"):
        small_rescue.sources(copy, small_rescue.take()).require_sound()


async def test_a_copy_of_another_version_is_restored_by_that_one(small_rescue: Rescue, monkeypatch: pytest.MonkeyPatch):
    copy = small_rescue.take()
    monkeypatch.setattr("vault.storage.schema.newest", lambda: "9999")
    with pytest.raises(BackupRefused, match="backup-other-version"):
        small_rescue.sources(copy).require_sound()


async def test_a_snapshot_without_a_head_is_no_copy(small_rescue: Rescue, tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'headless.sqlite3'}")
    with database.connect() as connection, connection.begin():
        metadata.create_all(connection)
        with pytest.raises(Exception, match="integrity"):
            taking._head(connection, small_rescue.world.association)
    database.dispose()
