"""Notes again which letters left, where the journal says so and the stored rows do not: no restore sends a letter a second time.

Invariants: of a letter that was in hand in what is lost nobody claims more than that it may have left, unless a line says that it did; a
letter of which the database knows, whatever became of it since, is left alone. Formats: docs/spec/journal.md.
"""

from dataclasses import replace

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.breach_reports import letters
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.letters import DONE, LETTER, State
from vault.errors import NotFound
from vault.rulebook import facts
from vault.storage.journal import Line

_OVER = frozenset({"sent", "delivered", "returned", "removed"})


def note_again(deed: Deed, line: Line, told: Entry) -> int:
    """Note again that a letter left, or may have; 1 where the database did not know. Raises NotFound, Unavailable `integrity`."""
    id_, _, how = line.closing.detail.partition("|")
    letter = facts.read(deed, LETTER, id_)
    if letter is None:
        raise NotFound
    state: State = "sent" if how == "sent" else "doubtful"
    if letter.state in _OVER or letter.state == state or (state == "doubtful" and letter.at >= line.time):
        return 0
    _, written = letters.change(deed, letter, state)
    letters.move(deed, bytes.fromhex(id_), DONE)
    incident = bytes.fromhex(letter.incident)
    about = (About(incident, incident),)
    deed.append(replace(told, kind=letters.TOLD[state], about=about, purpose=PURPOSE, facts=(written,)))
    deed.closes_too(line.closing)
    return 1
