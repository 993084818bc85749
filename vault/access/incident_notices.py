"""What an incident's file tells of its notices: the words to the authority and to people, what was filed, and what became of each letter.

Invariants: words come from parts that the committed entry names; of a letter there are a record's id, its state and times, and neither name
nor address.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import authority_notice_telling, door, letters, people_notices_api
from vault.breach_reports.incident_shapes import AUTHORITY_NOTICE, PEOPLE_NOTICE, AuthorityNotice, IncidentFact, PeopleNotice
from vault.breach_reports.letters import LetterFact
from vault.breach_reports.people_notices import Wording

KINDS: Final = (AUTHORITY_NOTICE, PEOPLE_NOTICE)
_OF_INCIDENT: Final = ("incident", "reference", "aware_at", "aware_riyadh", "entry")
"""Members of a notice as it is read that the file has once, of the incident."""
Letters = Mapping[int, Sequence[LetterFact]]
Json = dict[str, Any]


def letters_of(deed: Deed, fact: IncidentFact) -> Letters:
    """The letters of each notice to people, by its number, in the order of its list. Raises Unavailable `integrity`."""
    return {each.part: sorted(letters.every(deed, fact.id, each.part), key=lambda letter: letter.place) for each in fact.people_notices}


def authority(taken: door.TakenIncident, opened: Sequence[door.Opened]) -> list[Json]:
    """The notices to the authority with their five parts, oldest first."""
    return [_authority(taken, opened, each) for each in taken.case.fact.notices]


def _authority(taken: door.TakenIncident, opened: Sequence[door.Opened], notice: AuthorityNotice) -> Json:
    parts = [each for each in opened if each.number in {notice.part, notice.reasons}]
    whole = msgspec.to_builtins(authority_notice_telling.whole(authority_notice_telling.opened(taken, parts, notice.part)))
    return {**whole.pop("item"), **{name: value for name, value in whole.items() if name not in _OF_INCIDENT}}


def people(fact: IncidentFact, opened: Sequence[door.Opened], letters_: Letters) -> list[Json]:
    """The notices to people with their four parts and what became of each letter, oldest first."""
    words = {each.number: msgspec.json.decode(each.content, type=Wording) for each in opened if each.told.kind == PEOPLE_NOTICE}
    return [_people(each, words[each.part], letters_[each.part]) for each in fact.people_notices]


def _people(notice: PeopleNotice, wording: Wording, found: Sequence[LetterFact]) -> Json:
    counts: dict[str, int] = {}
    wanted = people_notices_api.wanted_off(notice)
    for letter in found:
        counts[letter.state] = counts.get(letter.state, 0) + 1
    return {
        **msgspec.to_builtins(people_notices_api.item(notice)),
        **{name: {"ar": words.ar, "en": words.en} for name, words in msgspec.structs.asdict(wording).items()},
        "counts": counts,
        "letters": [msgspec.to_builtins(people_notices_api.letter(each, wanted)) for each in found],
    }
