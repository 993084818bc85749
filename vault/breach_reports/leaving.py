"""People who are to leave the list of a notice though two people let their letters go: it keeps them from being told, so it takes two.

Invariants: what one person proposes stops no letter; who was told meanwhile stays on the list; a list that lost a proposal, or got one, is
another than the one somebody saw.
"""

from collections.abc import Collection
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.breach_reports import letters
from vault.breach_reports.incident_lifecycle import IncidentState
from vault.breach_reports.incident_shapes import Leaving, PeopleNotice
from vault.breach_reports.letters import LETTER, LetterFact
from vault.errors import TooMany
from vault.rulebook import facts

MOST: Final = 200
"""Proposals of one notice: the second person reads each, and an entry names the fact of each letter."""


def takes_two(notice: PeopleNotice, letter: LetterFact) -> bool:
    """Whether two people let this letter go, now or before its incident was over."""
    return letter.place <= notice.approved or letter.anew


def proposed(notice: PeopleNotice, letter: LetterFact, by: str, now: int) -> PeopleNotice:
    """The notice with this person to be taken off. Raises IncidentState where that waits already, TooMany."""
    if any(each.letter == letter.id for each in notice.leaving):
        raise IncidentState
    if len(notice.leaving) >= MOST:
        raise TooMany(3600)
    made = Leaving(letter=letter.id, record=letter.record, by=by, at=now)
    return msgspec.structs.replace(notice, leaving=(*notice.leaving, made), reconsidered=notice.reconsidered + 1)


def staying(notice: PeopleNotice, ids: Collection[str]) -> PeopleNotice:
    """The notice once somebody put the people of these letters on it again."""
    kept = tuple(each for each in notice.leaving if each.letter not in ids)
    changed = notice.reconsidered + len(notice.leaving) - len(kept)
    return msgspec.structs.replace(notice, leaving=kept, reconsidered=changed)


def take_off(deed: Deed, notice: PeopleNotice) -> tuple[PeopleNotice, list[WrittenFact]]:
    """Take off, by a second person's word, whoever was to leave and was not written to meanwhile. Raises Unavailable `integrity`."""
    found = facts.read_several(deed, LETTER, [each.letter for each in notice.leaving]) if notice.leaving else {}
    written = []
    for each in notice.leaving:
        if found[each.letter].state == "listed":
            letters.move(deed, bytes.fromhex(each.letter), letters.DONE)
            written.append(letters.change(deed, found[each.letter], "removed", noted_by=each.by)[1])
    return msgspec.structs.replace(notice, leaving=(), removed=notice.removed + len(written)), written
