"""A folder of tiles is enough for somebody else to check the whole log."""

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from tests.access_log import second_reader
from tests.access_log.logs import ASSOCIATION, CODE, World, signer, world
from vault.access_log import tables
from vault.access_log.checkpoint import NotACheckpoint
from vault.access_log.export import export
from vault.access_log.merkle import leaf_hash
from vault.errors import Conflict, Unavailable


@pytest.fixture
def log(database_url: str, tmp_path: Path):
    with world(database_url, tmp_path / "outside") as made:
        made.append(1_100)
        made.sign()
        yield made


def exported(log: World, folder: Path, note: str | None = None) -> int:
    with log.reading() as transaction:
        return export(transaction.connection, ASSOCIATION, CODE, vkey=signer().vkey, note=note or log.outside.read(), folder=folder)


def test_a_reader_that_knows_only_the_specification_verifies_the_folder(log: World, tmp_path: Path):
    assert exported(log, tmp_path / "export") == 1_100
    assert second_reader.verify_folder(tmp_path / "export", signer().vkey) == 1_100


def test_the_folder_holds_the_tree_of_its_checkpoint_and_not_what_came_later(log: World, tmp_path: Path):
    note = log.outside.read()
    log.append(200)
    exported(log, tmp_path / "export", note)
    assert second_reader.verify_folder(tmp_path / "export", signer().vkey) == 1_100
    files = {str(file.relative_to(tmp_path / "export")) for file in (tmp_path / "export").rglob("*") if file.is_file()}
    level_zero = {*(f"00{number}" for number in range(4)), "004.p/76"}
    assert files == {"checkpoint", "tile/1/000.p/4"} | {f"tile/{kind}/{name}" for kind in ("0", "entries") for name in level_zero}


def test_a_log_without_entries_exports_its_checkpoint_alone(tmp_path: Path):
    with world(f"sqlite:///{tmp_path / 'vault.sqlite3'}", tmp_path / "outside") as made:
        assert exported(made, tmp_path / "export") == 0
    assert [file.name for file in (tmp_path / "export").iterdir()] == ["checkpoint"]
    assert second_reader.verify_folder(tmp_path / "export", signer().vkey) == 0


def test_a_log_of_whole_tiles_exports_no_partial_level_zero(tmp_path: Path):
    with world(f"sqlite:///{tmp_path / 'vault.sqlite3'}", tmp_path / "outside") as made:
        made.append(512)
        made.sign()
        exported(made, tmp_path / "export")
    assert second_reader.verify_folder(tmp_path / "export", signer().vkey) == 512
    assert not list((tmp_path / "export" / "tile" / "0").glob("*.p"))


def test_an_altered_log_is_convicted_by_whoever_reads_the_folder(log: World, tmp_path: Path):
    with log.writing() as transaction:
        where = tables.entry.c.number == 70
        transaction.connection.execute(update(tables.entry).where(where).values(body=b"other", leaf=leaf_hash(b"other")))
    exported(log, tmp_path / "export")
    with pytest.raises(second_reader.Wrong, match="root"):
        second_reader.verify_folder(tmp_path / "export", signer().vkey)


def test_a_log_with_a_hole_is_not_exported(log: World, tmp_path: Path):
    with log.writing() as transaction:
        transaction.connection.execute(delete(tables.entry).where(tables.entry.c.number == 70))
    with pytest.raises(Unavailable, match="integrity"):
        exported(log, tmp_path / "export")
    assert not (tmp_path / "export" / "checkpoint").exists()


def test_a_folder_with_something_in_it_is_left_alone(log: World, tmp_path: Path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "mine").write_text("mine")
    with pytest.raises(Conflict, match="export-folder-not-empty"):
        exported(log, tmp_path / "export")
    assert [file.name for file in (tmp_path / "export").iterdir()] == ["mine"]


def test_a_checkpoint_of_another_log_is_not_exported(log: World, tmp_path: Path):
    with pytest.raises(NotACheckpoint):
        exported(log, tmp_path / "export", "nonsense\n")
    assert not (tmp_path / "export").exists()


def test_the_folder_is_its_owners_alone(log: World, tmp_path: Path):
    exported(log, tmp_path / "export")
    assert (tmp_path / "export").stat().st_mode & 0o777 == 0o700
