"""The journals shown to a restore: which of their lines count, whether they are whole, and how they become the one that goes on.

Invariants: a journal whose lines do not hold is a refusal and never a shorter journal; whole is only what reaches as far as the newest
checkpoint anybody showed (docs/adr/0040-a-whole-journal.md); what goes on holds every line of every journal shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keys.cabinet import Cabinet
from keys.errors import Unopenable
from keys.files import replace
from vault.access_log import journal_note
from vault.access_log.checkpoint import Checkpoint, NotACheckpoint, epoch_of, opened, origin
from vault.access_log.journal_note import JournalNote
from vault.backup.refused import BackupRefused
from vault.identity.opening import JOURNAL, journal_mac
from vault.reclosing import MOST_ENTRIES
from vault.storage.journal import RESTORED, Journal, Line

_ANY_EPOCH = 999_999_999
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Shown:
    """A journal that was shown, and the note of its length that lay beside it."""

    path: Path
    journal: Journal
    note: JournalNote | None


def shown(paths: Sequence[Path], cabinet: Cabinet, code: str) -> list[Shown]:
    """Read and check them. Raises JournalRefused `journal-missing`, `journal-altered`: also where one is shorter than its note says."""
    key = cabinet.signing_as(origin(code, _ANY_EPOCH)).signer.vkey_at
    found = []
    for path in paths:
        note = journal_note.read(path.with_name(journal_note.NAME), key, code)
        found.append(Shown(path, Journal(path, journal_mac(cabinet)), note))
    return found


def checkpoint_of(note: str, cabinet: Cabinet, code: str) -> Checkpoint:
    """A checkpoint of this log, of whichever epoch. Raises BackupRefused `checkpoint-unreadable`."""
    try:
        name = note.partition("\n")[0]
        epoch_of(name, code)
        return opened(note, cabinet.signing_as(name).signer.vkey_at, code)
    except (NotACheckpoint, Unopenable):
        raise BackupRefused("checkpoint-unreadable") from None


def newest(checkpoints: Sequence[Checkpoint], code: str) -> Checkpoint | None:
    """The one of the latest epoch, and of that the one that covers most."""
    return max(checkpoints, key=lambda one: (epoch_of(one.origin, code), one.size), default=None)


def are_whole(journals: Sequence[Shown], known: Checkpoint | None, copied: Checkpoint, code: str) -> bool:
    """Whether every journal reaches as far as the newest checkpoint known, and that one as far as the copy itself."""
    if known is None or not journals:
        return False
    least = max(_reach(known.origin, known.size, code), _reach(copied.origin, copied.size, code))
    return all(
        one.note is not None and one.journal.begins_with(one.note.reached) and _reach(one.note.origin, one.note.size, code) >= least
        for one in journals
    )


def epoch_after(copied: Checkpoint, known: Checkpoint | None, journals: Sequence[Shown], code: str) -> int:
    """The epoch the log goes on in: one that no checkpoint, note or journal shown has ever named."""
    names = [copied.origin, *([known.origin] if known else []), *(one.note.origin for one in journals if one.note)]
    told = [int(line.closing.reference) for one in journals for line in one.journal.lines() if line.closing.kind == RESTORED]
    return 1 + max([epoch_of(name, code) for name in names] + told)


def to_carry_out(journals: Sequence[Journal], copied: Checkpoint, code: str) -> list[Line]:
    """The lines of all journals that the copy may know nothing of, each once, by time."""
    found = {(line.base, line.time, line.closing): line for one in journals for line in _unknown(one, copied, code)}
    return sorted(found.values(), key=lambda line: line.time)


def _unknown(journal: Journal, copied: Checkpoint, code: str) -> list[Line]:
    """What an earlier restore carried out is in a copy of its epoch or a later one; so is what was closed before the copy was taken."""
    epoch, lines, later = epoch_of(copied.origin, code), list[Line](), False
    for line in journal.lines():
        if line.closing.kind == RESTORED:
            later = int(line.closing.reference) > epoch
            lines = lines if later else []
        elif later or line.base + MOST_ENTRIES > copied.size:
            lines.append(line)
    return lines


def merge(into: Path, journals: Sequence[Shown], cabinet: Cabinet) -> Journal:
    """The journal of this node with every line of the others; made where there was none. What a kill leaves half done is done again."""
    if not into.exists():
        Journal.create(into)
    own = Journal(into, journal_mac(cabinet))
    known = {(line.base, line.time, line.closing) for line in own.lines()}
    for one in journals:
        for line in one.journal.lines():
            if (line.base, line.time, line.closing) not in known:
                known.add((line.base, line.time, line.closing))
                own.append(line.base, line.time, [line.closing])
    return own


def copy_journal(home: Path, to: Path) -> None:
    """Copy a journal and the note of its length: the note first, so that the journal is never shorter than it says."""
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    note = home / journal_note.NAME
    if note.exists():
        replace(to / journal_note.NAME, note.read_bytes(), _MODE)
    replace(to / JOURNAL, (home / JOURNAL).read_bytes(), _MODE)


def _reach(name: str, size: int, code: str) -> tuple[int, int]:
    return epoch_of(name, code), size
