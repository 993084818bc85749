"""A changed byte anywhere in a copy is refused and the file named; what fits no database is refused whatever signed it."""

from pathlib import Path
from typing import Any

import pytest

from tests.backup.rescue import Rescue
from tests.household import store
from vault.backup import frames, manifest
from vault.backup.frames import Frames
from vault.backup.loading import Loader
from vault.backup.manifest import Backup, look
from vault.backup.parts import DATA, KEYS, shares
from vault.backup.refused import BackupRefused
from vault.backup.scratch import scratch
from vault.identity.opening import RESTORING

pytestmark = pytest.mark.asyncio(loop_scope="function")


def placed(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["data", "keys", "manifest", "checkpoint"])
async def test_one_byte_anywhere_is_refused_and_the_file_named(small_rescue: Rescue, tmp_path: Path, name: str):
    await store(small_rescue.world)
    copy, home = small_rescue.take(), small_rescue.home()
    file, url = copy.folder / name, f"sqlite:///{tmp_path / 'none.sqlite3'}"
    size = file.stat().st_size
    places = range(0, size, 7) if name == "manifest" else [*range(12), *range(30, size, size // 12), size - 1]
    for place in places:
        placed(file, place)
        with pytest.raises(BackupRefused) as refused:
            small_rescue.restore(url, home, look(copy.folder))
        # Before the manifest's signature can be checked, a line of recipients or version that was altered tells of another copy.
        assert refused.value.code == "backup-altered" or (name == "manifest" and refused.value.code.startswith("backup-")), place
        # A line of the manifest that was altered no longer fits the file it tells of: either is named.
        assert name in {refused.value.part, "manifest"}
        placed(file, place)
        assert not (home / RESTORING).exists(), "nothing was begun"
    assert small_rescue.restore(url, home, look(copy.folder)).complete


@pytest.mark.parametrize("name", ["data", "keys", "manifest", "checkpoint"])
async def test_a_file_that_is_cut_or_gone_is_named(small_rescue: Rescue, tmp_path: Path, name: str):
    copy, home, url = small_rescue.take(), small_rescue.home(), f"sqlite:///{tmp_path / 'none.sqlite3'}"
    whole = (copy.folder / name).read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b"", whole + b"\x00", None):
        (copy.folder / name).unlink()
        if content is not None:
            (copy.folder / name).write_bytes(content)
        with pytest.raises(BackupRefused) as refused:
            small_rescue.restore(url, home, look(copy.folder))
        assert refused.value.part == name
        (copy.folder / name).write_bytes(whole)


async def test_a_sealed_file_that_only_the_manifest_convicts_is_convicted_by_its_seal_too(small_rescue: Rescue, monkeypatch: Any):
    copy = small_rescue.take()
    placed(copy.folder / "data", -5)
    monkeypatch.setattr(Backup, "require_file", lambda *_: None)
    with pytest.raises(BackupRefused) as refused:
        list(small_rescue.sources(copy).frames(DATA))
    assert refused.value.part == "data"
    (copy.folder / "data").unlink()
    with pytest.raises(BackupRefused):
        list(small_rescue.sources(copy).frames(DATA))


async def test_a_manifest_names_no_folder_but_an_associations(small_rescue: Rescue):
    text = small_rescue.take().manifest.text()
    for wrong in (
        text.replace("probe", "../x"),
        text.replace("log amanah/probe", "log amanah/other"),
        text.replace("backup ", "backup 00"),
    ):
        with pytest.raises(BackupRefused):
            manifest.Manifest.parse(wrong)


async def test_a_manifest_of_another_key_or_another_log_is_no_manifest(small_rescue: Rescue):
    copy, world = small_rescue.take(), small_rescue.world
    text = copy.manifest.text()
    foreign = world.association.cabinet.signer.named("amanah/other/1").sign(text)
    (copy.folder / "manifest").write_text(foreign)
    with pytest.raises(BackupRefused) as refused:
        small_rescue.sources(look(copy.folder)).cabinet_of(world.association)
    assert refused.value.part == "manifest"


async def test_counts_that_are_not_those_of_the_manifest_are_refused(small_rescue: Rescue, tmp_path: Path):
    copy, home = small_rescue.take(), small_rescue.home()
    text = copy.manifest.text().replace("rows data association 1", "rows data association 2")
    (copy.folder / "manifest").write_text(small_rescue.world.association.cabinet.signer.sign(text))
    with pytest.raises(BackupRefused) as refused:
        small_rescue.restore(f"sqlite:///{tmp_path / 'none.sqlite3'}", home, look(copy.folder))
    assert refused.value.part == "data"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amanah-backup/2\n",
        "amanah-backup/1\nbackup x\n",
        "amanah-backup/1\n\x01\n",
        "amanah-backup/1\nlog a b c\nassociation a b\nfile a 1\n",
    ],
)
async def test_what_is_no_manifest_is_refused(text: str):
    with pytest.raises(BackupRefused):
        manifest.Manifest.parse(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x01\x01",
        b"\x00\x00\x00\x01\x90",
        frames.written(["table", "x", []]),
    ],
)
async def test_what_is_no_frame_is_refused(raw: bytes):
    with pytest.raises(BackupRefused):
        list(frames.read(iter([raw])))


async def test_frames_come_back_however_they_are_cut():
    made: list[bytes] = []
    told = Frames(lambda frame: made.append(frames.written(frame)))
    told.table("t", ["a", "b"], iter([[[1, b"x"], [None, "ي"]], [[-(1 << 62), b""]]]))
    told.end()
    raw = b"".join(made)
    for step in (1, 3, 1000):
        found = list(frames.read(raw[at : at + step] for at in range(0, len(raw), step)))
        assert found == [["table", "t", ["a", "b"]], ["rows", [[1, b"x"], [None, "ي"]]], ["rows", [[-(1 << 62), b""]]], ["end", 3]]


def misfits() -> list[list[list[Any]]]:
    association = next(share for share in shares(DATA) if share.table.name == "association")
    begin = ["table", "association", association.names]
    return [
        [["table", "nobody", ["association_id"]]],
        [["table", "association_key", ["association_id", "name", "wrapped"]]],
        [["table", "record_token", ["association_id"]]],
        [["table", "association", ["code", "association_id"]]],
        [["rows", [[bytes(16), "x"]]]],
        [begin, ["rows", [[bytes(16), "probe"]]]],
        [begin, ["rows", []]],
        [begin, ["rows", [[b"A" * 16]]]],
        [begin, ["rows", [7]]],
        [begin, ["rows", [[b"A" * 16, None]]]],
        [begin, ["rows", [[b"A" * 16, "one"], [b"A" * 16, "two"]]]],
        [begin, begin],
        [["end", 0]],
        [["what"]],
    ]


@pytest.mark.parametrize("number", range(14))
async def test_what_belongs_in_no_table_is_refused(tmp_path: Path, number: int):
    with scratch(tmp_path) as database, database.connect() as connection, connection.begin():
        loader = Loader(connection, b"A" * 16, DATA)
        *before, last = misfits()[number]
        for frame in before:
            loader.take(frame)
        with pytest.raises(BackupRefused) as refused:
            loader.take(last)
        assert refused.value.part == DATA


async def test_nothing_comes_after_the_end(tmp_path: Path):
    with scratch(tmp_path) as database, database.connect() as connection, connection.begin():
        loader = Loader(connection, b"A" * 16, KEYS)
        for share in shares(KEYS):
            loader.take(["table", share.table.name, share.names])
        loader.take(["end", 0])
        for frame in (["end", 0], ["rows", [[1]]], ["table", "association_key", []]):
            with pytest.raises(BackupRefused):
                loader.take(frame)
