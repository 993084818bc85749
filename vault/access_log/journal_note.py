"""How long the journal was at a checkpoint: a signed note beside it, by which a restore knows whether a journal is whole.

Invariants: the note is written after the checkpoint it names, so that every door closed by an entry the checkpoint covers has its line
among those the note counts; its first line is no log's name, so that it is never taken for a checkpoint. Format: docs/spec/journal.md.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from keys.errors import Unopenable
from keys.files import replace
from keys.notes import Signer, renamed, verify
from vault.access_log.checkpoint import Key, NotACheckpoint, epoch_of, key_at, origin_of
from vault.storage.journal import Reached

NAME = "journal.note"
_MODE = 0o600
_FORM = re.compile(r"(amanah/[^\n]+)/journal\n(0|[1-9][0-9]*)\n(0|[1-9][0-9]*)\n([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True)
class JournalNote:
    """At a log of so many entries of this origin the journal had reached so far."""

    origin: str
    size: int
    reached: Reached

    def text(self) -> str:
        """The four lines that are signed."""
        return f"{self.origin}/journal\n{self.size}\n{self.reached.lines}\n{self.reached.mac.hex()}\n"


def keep(path: Path, signer: Signer, size: int, reached: Reached) -> None:
    """Write the note, durable when this returns."""
    note = signer.sign(JournalNote(origin_of(signer.vkey), size, reached).text())
    replace(path, note.encode(), _MODE)


def read(path: Path, key: Key, code: str) -> JournalNote | None:
    """The note in the file by the key in force at its size, of this epoch of the log or an earlier one; None where there is none such."""
    try:
        note = path.read_bytes().decode()
        name, size, *_ = note.removeprefix("\n").split("\n")
        name, vkey = name.removesuffix("/journal"), key_at(key, int(size))
        if epoch_of(name, code) > epoch_of(origin_of(vkey), code):
            return None
        found = _FORM.fullmatch(verify(note, renamed(vkey, name)))
    except (OSError, ValueError, Unopenable, NotACheckpoint):
        return None
    if found is None:
        return None
    return JournalNote(found[1], int(found[2]), Reached(int(found[3]), bytes.fromhex(found[4])))
