"""Checkpoints are signed over one history only, and the one outside the database never goes back."""

import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from keys.notes import verify
from tests.access_log.logs import ASSOCIATION, CODE, NOW, SECOND, World, naive_root, signer, some_leaves, world
from vault.access_log import tables
from vault.access_log.checkpoint import Checkpoint, Checkpointer, NotACheckpoint, Outside, check_at_start, opened, origin
from vault.access_log.merkle import EMPTY_ROOT, leaf_hash
from vault.errors import Conflict, Unavailable

ROOT = some_leaves(1)[0]
HASH = "A" * 43 + "="


@pytest.fixture
def log(database_url: str, tmp_path: Path):
    with world(database_url, tmp_path / "outside") as made:
        yield made


@pytest.fixture
def sqlite_log(tmp_path: Path):
    with world(f"sqlite:///{tmp_path / 'vault.sqlite3'}", tmp_path / "outside") as made:
        yield made


def note_of(size: int, root: bytes = ROOT, code: str = CODE) -> str:
    return signer(code).sign(Checkpoint(origin(code), size, root).text())


def at_start(log: World) -> Checkpoint:
    with log.reading() as transaction:
        return check_at_start(transaction, ASSOCIATION, log.outside.read(), CODE, signer().vkey)


def stored(log: World) -> dict[int, bytes]:
    with log.reading() as transaction:
        return {row.size: bytes(row.note) for row in transaction.connection.execute(select(tables.checkpoint))}


def leaves_of(log: World) -> list[bytes]:
    with log.reading() as transaction:
        return [leaf_hash(row.body) for row in transaction.connection.execute(tables.entry.select().order_by(tables.entry.c.number))]


def test_a_checkpoint_is_three_lines_and_no_more():
    checkpoint = Checkpoint("amanah/birr/1", 5, bytes(32))
    assert checkpoint.text() == "amanah/birr/1\n5\n" + "A" * 43 + "=\n"
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amanah/birr/1\n5\n",
        f"o\n5\n{HASH}",
        f"o\n5\n{HASH}\nextension\n",
        f"o\n-5\n{HASH}\n",
        f"o\n05\n{HASH}\n",
        f"o\n٥\n{HASH}\n",
        "o\n5\nAAAA\n",
        f"o\n5\n{HASH[:-2]}B=\n",
        f"o\nfive\n{HASH}\n",
        "o\n5\n????\n",
        f"o\n{'9' * 5000}\n{HASH}\n",
    ],
)
def test_any_other_text_is_no_checkpoint(text: str):
    with pytest.raises(NotACheckpoint):
        Checkpoint.parse(text)


def test_a_checkpoint_opens_under_its_own_key_and_name_only():
    assert opened(note_of(5), signer().vkey, CODE) == Checkpoint("amanah/birr/1", 5, ROOT)
    for note, key, code in (
        (note_of(5), signer(seed=bytes(32)).vkey, CODE),
        (note_of(5, code="other"), signer().vkey, CODE),
        (signer().sign(Checkpoint(origin("other"), 5, ROOT).text()), signer().vkey, CODE),
        (signer().sign("amanah/birr/1\n5\n"), signer().vkey, CODE),
        (note_of(5).replace("\n5\n", "\n6\n"), signer().vkey, CODE),
    ):
        with pytest.raises(NotACheckpoint):
            opened(note, key, code)


def test_the_log_signs_what_it_holds_outside_first_and_in_the_database(log: World):
    assert opened(log.outside.read(), signer().vkey, CODE) == Checkpoint(origin(CODE), 0, EMPTY_ROOT)
    log.append(700)
    note = log.sign()
    assert opened(note, signer().vkey, CODE) == Checkpoint(origin(CODE), 700, naive_root(leaves_of(log)))
    assert log.outside.read() == note
    assert stored(log)[700] == note.encode()
    assert verify(note, signer().vkey).startswith("amanah/birr/1\n700\n")


def test_a_log_that_did_not_grow_is_not_signed_again(log: World):
    log.append(10)
    signed = log.checkpointer()
    with log.writing() as transaction:
        first = signed.sign(transaction)
    log.now += 60 * SECOND
    inode = log.outside.path.stat().st_ino
    with log.writing() as transaction:
        assert signed.sign(transaction) == first
    assert log.outside.path.stat().st_ino == inode


def test_a_log_is_signed_at_most_once_a_second(log: World):
    checkpointer = log.checkpointer()
    sizes = []
    for _ in range(3):
        log.append(5)
        log.now -= SECOND - 400_000
        with log.writing() as transaction:
            sizes.append(opened(checkpointer.sign(transaction), signer().vkey, CODE).size)
    assert sizes == [5, 5, 5]
    log.now += SECOND
    with log.writing() as transaction:
        assert opened(checkpointer.sign(transaction), signer().vkey, CODE).size == 15


def test_a_clock_put_back_does_not_keep_the_log_from_being_signed(log: World):
    checkpointer = log.checkpointer()
    log.append(5)
    with log.writing() as transaction:
        checkpointer.sign(transaction)
    log.append(5)
    log.now -= 3_600 * SECOND
    with log.writing() as transaction:
        assert opened(checkpointer.sign(transaction), signer().vkey, CODE).size == 10


def test_the_same_size_signed_by_two_processes_is_one_row(log: World):
    log.append(5)
    before = log.outside.read()
    note = log.sign()
    log.outside.path.write_text(before)
    assert log.sign() == note
    assert set(stored(log)) == {0, 5}


def test_a_slower_process_gives_out_what_the_faster_one_signed(log: World, monkeypatch: pytest.MonkeyPatch):
    log.append(5)

    def overtaken(outside: Outside, expected: str, note: str) -> bool:
        monkeypatch.undo()
        assert outside.move(expected, note)
        return outside.move(expected, note)

    monkeypatch.setattr(Outside, "move", overtaken)
    note = log.sign()
    assert opened(note, signer().vkey, CODE).size == 5
    assert set(stored(log)) == {0}


@pytest.mark.parametrize("cut", [3, 5])
def test_an_old_copy_of_the_database_is_not_signed_and_does_not_start(log: World, cut: int):
    log.append(5)
    log.sign()
    with log.writing() as transaction:
        transaction.connection.execute(delete(tables.entry).where(tables.entry.c.number >= 5 - cut))
        transaction.connection.execute(update(tables.head).values(size=0, frontier=b""))
    with pytest.raises(Unavailable, match="integrity"):
        log.sign()
    with pytest.raises(Unavailable, match="log-shorter-than-checkpoint"):
        at_start(log)


@pytest.mark.parametrize("more", [0, 300])
def test_another_history_is_not_signed_and_does_not_start(log: World, more: int):
    log.append(5 + more)
    log.outside.path.write_text(note_of(5))
    log.now += 2 * SECOND
    with pytest.raises(Unavailable, match="integrity"):
        log.sign()
    with pytest.raises(Unavailable, match="log-forked"):
        at_start(log)


def test_a_head_that_does_not_fit_its_entries_is_not_signed_and_does_not_start(log: World):
    log.append(7)
    log.sign()
    with log.writing() as transaction:
        transaction.connection.execute(update(tables.head).values(frontier=bytes(96)))
    with pytest.raises(Unavailable, match="integrity"):
        log.sign()
    with pytest.raises(Unavailable, match="log-forked"):
        at_start(log)
    for frontier in (b"", bytes(95)):
        with log.writing() as transaction:
            transaction.connection.execute(update(tables.head).values(frontier=frontier))
        with pytest.raises(Unavailable, match="integrity"):
            at_start(log)


def test_a_log_that_is_gone_does_not_start(log: World):
    with log.writing() as transaction:
        transaction.connection.execute(delete(tables.head))
    with pytest.raises(Unavailable, match="log-missing"):
        at_start(log)
    with pytest.raises(Unavailable, match="integrity"):
        log.sign()


def test_a_head_of_a_foreign_type_does_not_start(sqlite_log: World):
    with sqlite_log.writing() as transaction:
        transaction.connection.exec_driver_sql("UPDATE access_log_head SET size = 'text'")
    with pytest.raises(Unavailable, match="integrity"):
        at_start(sqlite_log)


def test_a_database_that_holds_all_that_was_signed_starts(log: World):
    assert at_start(log).size == 0
    log.append(300)
    log.sign()
    assert at_start(log).size == 300
    log.append(300)
    assert at_start(log).size == 300


def test_a_missing_file_outside_is_a_refusal_and_no_fresh_start(log: World):
    log.append(5)
    log.outside.path.unlink()
    for work in (lambda: at_start(log), log.sign, log.outside.read, lambda: log.outside.age(NOW)):
        with pytest.raises(Unavailable, match="checkpoint-missing"):
            work()
    assert not log.outside.path.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"text\n", note_of(0, EMPTY_ROOT, "other").encode(), note_of(0).encode()[:-5]])
def test_a_file_outside_that_the_log_did_not_sign_is_a_refusal(log: World, content: bytes):
    log.append(5)
    log.outside.path.write_bytes(content)
    for work in (lambda: at_start(log), log.sign):
        with pytest.raises(Unavailable, match="checkpoint-unreadable"):
            work()
    assert log.outside.path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_is_a_refusal(sqlite_log: World):
    sqlite_log.outside.path.unlink()
    sqlite_log.outside.path.mkdir()
    with pytest.raises(Unavailable, match="checkpoint-unreadable"):
        sqlite_log.outside.read()


def test_the_first_checkpoint_is_made_once(log: World):
    with log.writing() as transaction, pytest.raises(Conflict, match="checkpoint-exists"):
        log.checkpointer().first(transaction)


def test_the_file_outside_is_its_owners_alone_and_nothing_else_is_left_beside_it(tmp_path: Path):
    outside = Outside(tmp_path / "checkpoint")
    outside.create(note_of(1))
    assert outside.move(note_of(1), note_of(2))
    assert outside.read() == note_of(2)
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoint", "checkpoint.lock"}
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())


def test_the_file_outside_moves_only_from_what_was_expected(tmp_path: Path):
    outside = Outside(tmp_path / "checkpoint")
    outside.create(note_of(2))
    assert not outside.move(note_of(1), note_of(3))
    assert outside.read() == note_of(2)


@pytest.mark.parametrize("new", [note_of(1), note_of(2, bytes(32)), note_of(3, code="other")])
def test_the_file_outside_never_goes_back_and_never_forks(tmp_path: Path, new: str):
    outside = Outside(tmp_path / "checkpoint")
    outside.create(note_of(2))
    with pytest.raises(Unavailable, match="integrity"):
        outside.move(note_of(2), new)
    assert outside.read() == note_of(2)


def test_the_same_checkpoint_may_be_put_outside_again(tmp_path: Path):
    outside = Outside(tmp_path / "checkpoint")
    outside.create(note_of(2))
    assert outside.move(note_of(2), note_of(2))


def test_of_many_who_move_the_file_at_once_one_succeeds(tmp_path: Path):
    outside = Outside(tmp_path / "checkpoint")
    outside.create(note_of(1))
    moved: list[bool] = []
    threads = [threading.Thread(target=lambda size=size: moved.append(outside.move(note_of(1), note_of(size)))) for size in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(moved) == [False] * 7 + [True]


def test_the_age_of_the_newest_checkpoint_outside_is_told(tmp_path: Path):
    outside = Outside(tmp_path / "checkpoint")
    outside.create(note_of(1))
    os.utime(outside.path, ns=(NOW * 1000, NOW * 1000))
    assert outside.age(NOW + 5 * SECOND) == 5 * SECOND


def test_a_signer_of_another_association_does_not_sign_here(log: World):
    log.append(5)
    other = Checkpointer(signer("other"), "other", ASSOCIATION, log.outside)
    with log.writing() as transaction, pytest.raises(Unavailable, match="checkpoint-unreadable"):
        other.sign(transaction)
