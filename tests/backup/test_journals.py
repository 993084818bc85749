"""When a journal is whole, which of its lines a restore carries out, and how several become one."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.backup.rescue import Rescue
from tests.household import grant, read, store, withdraw
from tests.simulator import World
from vault.access_log import journal_note
from vault.access_log.checkpoint import Checkpoint, origin
from vault.access_log.journal_note import NAME, JournalNote
from vault.backup import journals
from vault.backup.refused import BackupRefused
from vault.errors import Refused, Unavailable
from vault.identity.opening import journal_mac
from vault.storage.journal import RESTORED, Closing, Journal, JournalRefused, Line, Reached

pytestmark = pytest.mark.asyncio(loop_scope="function")
CODE = "probe"


def head(size: int, epoch: int = 1) -> Checkpoint:
    return Checkpoint(origin(CODE, epoch), size, bytes(32))


def journal(world: World, path: Path, lines: Sequence[tuple[int, int, Closing]]) -> Journal:
    Journal.create(path)
    made = Journal(path, journal_mac(world.association.cabinet))
    for base, time, closing in lines:
        made.append(base, time, [closing])
    return made


def ended(number: int) -> Closing:
    return Closing("session", f"{number:032x}")


def references(lines: Sequence[Line]) -> list[int]:
    return [int(line.closing.reference, 16) for line in lines]


async def test_only_what_the_copy_may_not_know_is_carried_out_each_once_by_time(small: World, tmp_path: Path):
    one = journal(small, tmp_path / "one", [(10, 1, ended(1)), (99_900, 2, ended(2)), (100_200, 5, ended(3))])
    other = journal(small, tmp_path / "other", [(100_200, 5, ended(3)), (100_100, 3, ended(4))])
    assert references(journals.to_carry_out([one, other], head(100_000), CODE)) == [2, 4, 3]


async def test_lines_before_a_restore_the_copy_is_newer_than_are_known_to_it(small: World, tmp_path: Path):
    lines = [(500_000, 1, ended(1)), (1000, 2, Closing(RESTORED, "2")), (1010, 3, ended(2)), (300_000, 4, ended(3))]
    made = journal(small, tmp_path / "one", lines)
    assert references(journals.to_carry_out([made], head(200_000, 2), CODE)) == [3]
    assert references(journals.to_carry_out([made], head(90_000), CODE)) == [1, 2, 3], "a copy of the first epoch knows of none"
    assert made.newest == 300_000


async def test_whole_is_what_reaches_the_newest_checkpoint_known(small_rescue: Rescue):
    world = small_rescue.world
    kept = await store(world)
    consent = await grant(world, kept.record)
    copy = small_rescue.take()
    old = small_rescue.home()
    world.clock.forward(2)
    await withdraw(world, consent.id)
    await world.association.checkpoint()
    new, cabinet = small_rescue.home(), world.association.cabinet

    def whole(paths: list[Path], *checkpoints: Path) -> bool:
        known = journals.newest([journals.checkpoint_of(path.read_text(), cabinet, CODE) for path in checkpoints], CODE)
        return journals.are_whole(journals.shown(paths, cabinet, CODE), known, copy.manifest.head, CODE)

    assert whole([new / "journal"], new / "checkpoint")
    assert whole([new / "journal"], old / "checkpoint", new / "checkpoint")
    assert not whole([old / "journal"], old / "checkpoint", new / "checkpoint"), "a checkpoint somebody held tells of more"
    assert not whole([old / "journal"], new / "checkpoint")
    assert not whole([new / "journal", old / "journal"], new / "checkpoint"), "every journal shown, for every node closes doors"
    assert not whole([new / "journal"])
    assert not whole([], new / "checkpoint")
    (new / NAME).unlink()
    assert not whole([new / "journal"], new / "checkpoint")
    shutil.copy(world.folder / NAME, old / NAME)
    assert not whole([old / "journal"], new / "checkpoint"), "the note of a longer journal"


async def test_a_journal_of_another_key_or_altered_is_refused_and_not_shorter(small_rescue: Rescue):
    world, home = small_rescue.world, small_rescue.home()
    world.association.log.journal.append(3, world.clock.now, [ended(1), ended(2)])
    content = (world.folder / "journal").read_bytes()
    (home / "journal").write_bytes(content.replace(b"session", b"sessioN", 1))
    with pytest.raises(JournalRefused, match="journal-altered"):
        journals.shown([home / "journal"], world.association.cabinet, CODE)
    with pytest.raises(JournalRefused, match="journal-missing"):
        journals.shown([home / "nowhere"], world.association.cabinet, CODE)


async def test_several_journals_become_one_and_half_merged_ones_are_merged_again(small: World, tmp_path: Path):
    own = journal(small, tmp_path / "journal", [(10, 1, ended(1))])
    other = journal(small, tmp_path / "other", [(10, 1, ended(1)), (20, 2, ended(2)), (20, 2, ended(2))])
    shown = [journals.Shown(tmp_path / "journal", own, None), journals.Shown(tmp_path / "other", other, None)]
    for _ in range(2):
        merged = journals.merge(tmp_path / "journal", shown, small.association.cabinet)
        assert references(list(merged.lines())) == [1, 2]
    assert references(list(journals.merge(tmp_path / "new", shown, small.association.cabinet).lines())) == [1, 2]


async def test_the_next_epoch_is_one_that_nothing_shown_ever_named(small: World, tmp_path: Path):
    made = journal(small, tmp_path / "one", [(5, 1, Closing(RESTORED, "4"))])
    note = JournalNote(origin(CODE, 6), 1, Reached(0, bytes(32)))
    assert journals.epoch_after(head(5), None, [], CODE) == 2
    assert journals.epoch_after(head(5), head(9, 3), [], CODE) == 4
    assert journals.epoch_after(head(5), head(9, 3), [journals.Shown(tmp_path, made, None)], CODE) == 5
    assert journals.epoch_after(head(5), None, [journals.Shown(tmp_path, made, note)], CODE) == 7


async def test_a_file_that_is_no_checkpoint_of_this_log_is_said(small: World):
    signer = small.association.cabinet.signer
    for note in ("", "nonsense\n", small.association.outside.read().replace("probe/1", "other/1"), signer.sign("amanah/probe/1\n1\nx\n")):
        with pytest.raises(BackupRefused, match="checkpoint-unreadable"):
            journals.checkpoint_of(note, small.association.cabinet, CODE)


async def test_lines_cut_off_a_stopped_vaults_journal_show_by_the_note_beside_it(small_rescue: Rescue):
    world = small_rescue.world
    kept = await store(world)
    consent = await grant(world, kept.record)
    await withdraw(world, consent.id)
    world.clock.forward(2)
    await world.association.checkpoint()
    world.reopen()
    (world.folder / "journal").write_bytes(b"")
    with pytest.raises(JournalRefused, match="journal-altered"):
        world.reopen()


async def test_a_journal_from_elsewhere_is_carried_out_and_kept(small_rescue: Rescue, tmp_path: Path):
    world = small_rescue.world
    kept = await store(world)
    consent = await grant(world, kept.record)
    copy = small_rescue.take()
    await withdraw(world, consent.id)
    world.clock.forward(2)
    await world.association.checkpoint()
    live, home = small_rescue.home(), small_rescue.home("epochs")
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
    done = small_rescue.restore(url, home, copy, journals=[live / "journal"], checkpoints=[live / "checkpoint"])
    assert (done.complete, done.closed) == (True, 1)
    kinds = [line.closing.kind for line in Journal(home / "journal", journal_mac(world.association.cabinet)).lines()]
    assert kinds == ["withdrawal", "restored", "withdrawal"]
    with small_rescue.opened(url, home) as after, pytest.raises(Refused, match="consent-withdrawn"):
        await read(after, kept.record)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"amanah/probe/1/journal\n", b"amanah/other/1/journal\n", b"amanah/probe/2/journal\n5\n"]
)
async def test_what_is_no_note_of_the_journal_says_nothing(small: World, content: bytes):
    path = small.folder / NAME
    path.write_bytes(content)
    assert journal_note.read(path, small.association.cabinet.signer.vkey, CODE) is None
    path.unlink()
    assert journal_note.read(path, small.association.cabinet.signer.vkey, CODE) is None


async def test_a_signed_text_of_another_form_is_no_note(small: World):
    signer, path = small.association.cabinet.signer, small.folder / NAME
    path.write_text(signer.sign("amanah/probe/1/journal\n1\n2\nx\n"))
    assert journal_note.read(path, signer.vkey, CODE) is None
    journal_note.keep(path, signer, 5, Reached(0, bytes(32)))
    assert journal_note.read(path, signer.vkey, CODE) == JournalNote("amanah/probe/1", 5, Reached(0, bytes(32)))
    note = path.read_text()
    with pytest.raises(BackupRefused, match="checkpoint-unreadable"):
        journals.checkpoint_of(note, small.association.cabinet, CODE)


async def test_a_note_that_cannot_be_written_leaves_the_old_one(small: World, monkeypatch: pytest.MonkeyPatch):
    await small.association.checkpoint()
    await store(small)
    before = (small.folder / NAME).read_text()
    small.clock.forward(2)

    def full(*_: object) -> None:
        raise OSError(28, "full")

    with monkeypatch.context() as patched:
        patched.setattr(journal_note, "keep", full)
        await small.association.checkpoint()
        assert (small.folder / NAME).read_text() == before
    await small.association.checkpoint()
    assert (small.folder / NAME).read_text() != before


async def test_a_checkpoint_of_the_epoch_before_opens_no_restored_vault(small_rescue: Rescue, tmp_path: Path):
    copy, home, url = small_rescue.take(), small_rescue.home(), f"sqlite:///{tmp_path / 'next.sqlite3'}"
    small_rescue.restore(url, home, copy)
    shutil.copy(small_rescue.world.folder / "checkpoint", home / "checkpoint")
    with pytest.raises(Unavailable, match="checkpoint-unreadable"), small_rescue.opened(url, home):
        pass
