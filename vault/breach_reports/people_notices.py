"""What officers do about the notice to the people touched: write it, list whom it is for, let it go out, and note what became by hand.

Invariants: nothing goes out before a second person approved these words for these many people (promise 9); who is on the list is named by
record ids, and no address is looked at here; only what failed is sent again, what is doubtful only by the word of somebody, and what was
withheld while the incident was over only by a second person's approval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.breach_reports import case, door, incident_file, incidents, leaving, letters
from vault.breach_reports import incident_lifecycle as lifecycle
from vault.breach_reports.authority_notice import Words
from vault.breach_reports.case import Text
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.incident_joining import refusal
from vault.breach_reports.incident_lifecycle import IncidentState
from vault.breach_reports.incident_shapes import PEOPLE_NOTICE, IncidentFact, PeopleNotice, Sending
from vault.breach_reports.intake import PURPOSE
from vault.breach_reports.letters import INCIDENT_OVER, LETTER, LetterFact, State
from vault.breach_reports.lifecycle import HOUR
from vault.breach_reports.service import SecondFactor
from vault.errors import FieldError, Invalid, NotFound, Unavailable
from vault.policy.facts import NEVER
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.rulebook.two_people import same_person
from vault.subjects import people
from vault.subjects.people import Known

DRAFTED: Final = "incident.people-notice-drafted"
LISTED: Final = "incident.people-listed"
REMOVED: Final = "incident.people-removed"
REMOVAL_PROPOSED: Final = "incident.people-removal-proposed"
APPROVED: Final = "incident.people-notice-approved"
SENT_AGAIN: Final = "incident.letters-again"
NOTED: Final = "incident.letter-noted"
PARTS: Final = ("description", "risks", "contact", "advice")
"""The four parts of implementing regulation 24(5): (a) to (d)."""
MOST_PEOPLE: Final = 100_000
MOST_AT_ONCE: Final = 200
"""People put on a list in one deed: an entry names the fact of each letter."""
BY_HAND: Final[frozenset[State]] = frozenset({"post", "failed", "doubtful", "withheld", "delivered", "returned"})
WAITED: Final = 24 * HOUR
"""What was let go and no server took for so long may be printed and handed over: a house may have no mail server at all."""
Result = Literal["delivered", "returned"]


class Wording(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The words of a notice to people, as they are sealed: what happened, risks and measures, whom to ask, what she can do."""

    description: Words = Words()
    risks: Words = Words()
    contact: Words = Words()
    advice: Words = Words()


def draft(deed: Deed, errand: Errand, incident: bytes, wording: Wording) -> IncidentFact:
    """Write a notice to the people. Raises NotFound, IncidentState, Invalid for a part that is missing, or missing in Arabic."""
    errand, found = incidents.seen(deed, errand, incident)
    _require_open(found.fact)
    missing = [FieldError(f"{name}.ar", "missing") for name in PARTS if not getattr(wording, name).ar.strip()]
    if missing:
        raise Invalid(missing)
    made = PeopleNotice(part=len(found.fact.parts), by=errand.hand, at=deed.now)
    fact = msgspec.structs.replace(found.fact, people_notices=(*found.fact.people_notices, made))
    text = Text(PEOPLE_NOTICE, errand.hand, msgspec.json.encode(wording), case.kept_for(found.fact.parts, errand.hand))
    incidents.tell(deed, errand, found, DRAFTED, incident_file.change(deed, found, fact, text))
    return fact


def shown(deed: Deed, errand: Errand, incident: bytes) -> IncidentFact:
    """The incident, for a list of its notices; nothing anybody wrote is opened. Raises NotFound, refusals."""
    return incidents.seen(deed, errand, incident)[1].fact


def read(deed: Deed, errand: Errand, incident: bytes, number: int) -> door.TakenIncident:
    """The words of a notice: the entry is appended, and they open once that is committed. Raises NotFound, refusals."""
    errand, found = incidents.seen(deed, errand, incident)
    named(found.fact, number)
    return door.take_incident(deed, found, incidents.look(errand, deed), (PEOPLE_NOTICE,), (number,))


def take_words(deed: Deed, association: Association, incident: bytes, number: int) -> door.TakenIncident:
    """The words of a notice for letters that go out by themselves, as `read` takes them for somebody. Raises NotFound, Unavailable."""
    found = incident_file.load(deed, incident)
    named(found.fact, number)
    own = association.books.at(deed).association
    told = Entry(
        kind="incident.read",
        outcome="allow",
        actor=letters.SYSTEM,
        purpose=PURPOSE,
        article=f"{own.pack}:8",
        law=f"{own.law_pack}:20",
    )
    return door.take_incident(deed, found, told, (PEOPLE_NOTICE,), (number,))


def words_of(opened: Sequence[door.Opened]) -> Wording:
    """The words of a notice that came through the door."""
    return msgspec.json.decode(opened[0].content, type=Wording)


def list_(deed: Deed, errand: Errand, incident: bytes, number: int, records: Sequence[bytes]) -> IncidentFact:
    """Put people on a notice's list by records of theirs, each person once, by however many sheets she is known.

    Who was to be taken off it stays. Raises NotFound, IncidentState, Invalid `unknown-record`.
    """
    errand, found = incidents.seen(deed, errand, incident)
    _require_open(found.fact)
    notice = named(found.fact, number)
    new, met, back = notice.people, set[str](), set[str]()
    written: list[WrittenFact] = []
    for at, (record, known) in enumerate(people.of_records(deed, list(dict.fromkeys(records))).items()):
        if isinstance(known, NotFound):
            raise Invalid([FieldError(f"records[{at}]", "unknown-record")])
        if not isinstance(known, Known):
            raise Unavailable("integrity")
        who = _ids(known)
        if met.isdisjoint(who):
            letter = LetterFact(
                id="",
                incident=found.fact.id,
                notice=number,
                place=new + 1,
                record=record.hex(),
                subject=who[0],
                state="listed",
                at=deed.now,
            )
            made = _put(deed, letter, who)
            new, written = new + len(made), [*written, *made]
        if notice.leaving:
            back.update(letters.id_of(deed, found.fact.id, number, each).hex() for each in who)
        met.update(who)
    if new > MOST_PEOPLE:
        raise Invalid([FieldError("records", "too-long")])
    stays = leaving.staying(notice, back)
    if not written and stays == notice:
        return found.fact
    # Who only keeps on the list whom two people let a letter go to chose nobody.
    fact = _with(found.fact, msgspec.structs.replace(stays, people=new, hands=_hands(notice, errand) if written else notice.hands))
    incidents.tell(deed, errand, found, LISTED, incident_file.change(deed, found, fact), *written)
    return fact


def remove_person(deed: Deed, errand: Errand, incident: bytes, number: int, record: bytes) -> LetterFact:
    """Take the person of this record off a notice's list, as `remove` does. Raises Invalid `unknown-record` for who is not on it."""
    errand, found = incidents.seen(deed, errand, incident)
    named(found.fact, number)
    try:
        who = _ids(people.of_record(deed, record))
    except NotFound:
        who = []
    ids = [letters.id_of(deed, found.fact.id, number, each).hex() for each in who]
    known = facts.read_several(deed, LETTER, ids) if ids else {}
    on_list = next((key for key, each in known.items() if each.state != "removed"), None)
    if on_list is None:
        raise Invalid([FieldError("record", "unknown-record")])
    return remove(deed, errand, incident, bytes.fromhex(on_list))


def remove(deed: Deed, errand: Errand, incident: bytes, letter: bytes) -> LetterFact:
    """Take somebody off the list again, before a letter left; where two people let it go, that is proposed, and the letter may leave still.

    Raises NotFound, IncidentState, TooMany.
    """
    errand, found = incidents.seen(deed, errand, incident)
    known = one(deed, found, letter)
    if known.state != "listed":
        raise IncidentState
    notice = named(found.fact, known.notice)
    if leaving.takes_two(notice, known):
        waits = msgspec.structs.replace(leaving.proposed(notice, known, errand.hand, deed.now), hands=_hands(notice, errand))
        incidents.tell(deed, errand, found, REMOVAL_PROPOSED, incident_file.change(deed, found, _with(found.fact, waits)))
        return known
    changed, written = letters.change(deed, known, "removed", noted_by=errand.hand)
    letters.move(deed, letter, letters.DONE)
    fact = _with(found.fact, msgspec.structs.replace(notice, removed=notice.removed + 1, hands=_hands(notice, errand)))
    incidents.tell(deed, errand, found, REMOVED, incident_file.change(deed, found, fact), written)
    return changed


@dataclass(frozen=True, slots=True)
class Seen:
    """What the second person was shown: how many people are on the list, and how often it was changed."""

    people: int
    list_version: int


@dataclass(frozen=True, slots=True)
class SecondReader:
    """The deed that takes two people, done by the second one: she neither wrote the words nor chose whom they reach since the last time."""

    factor: SecondFactor

    def approve(self, deed: Deed, errand: Errand, incident: bytes, number: int, *, seen: Seen, code: str | None) -> IncidentFact:
        """Let the letters go out to everybody on the list, which has to be the one she saw, but to whoever is to be taken off it.

        Raises NotFound, IncidentState where nobody is new on it or leaves it or it was changed since, and refusals with their entries.
        """
        errand, found = incidents.seen(deed, errand, incident)
        _require_open(found.fact)
        notice = named(found.fact, number)
        changes = notice.people > notice.approved or notice.leaving
        if (notice.people - notice.removed, notice.list_version) != (seen.people, seen.list_version) or not changes:
            raise IncidentState
        if any(same_person(errand.book(deed), hand, errand.asker.ref) for hand in (notice.by, *notice.hands)):
            raise refusal(deed, errand, found.about, APPROVED, reason="SAME_PERSON")
        approval = self.factor.approve(deed, errand.asker, code, kind=APPROVED, about=found.about)
        sent = Sending(by=errand.hand, at=deed.now, people=notice.people)
        left, written = leaving.take_off(deed, notice)
        fact = _with(found.fact, msgspec.structs.replace(left, sent=(*notice.sent, sent), hands=()))
        letters.release(deed, found.fact.id, number)
        incidents.tell(deed, errand, found, APPROVED, incident_file.change(deed, found, fact), *written, approval=approval)
        return fact


def again(deed: Deed, errand: Errand, incident: bytes, number: int, *, doubtful: bool = False) -> int:
    """Send again what failed, with `doubtful` also what may have arrived; how many, some hundreds at a time, 0 once none is left.

    What was withheld while the incident was over is put on the list anew, and waits for a second person's approval as whoever is new on it.
    Raises NotFound, IncidentState.
    """
    errand, found = incidents.seen(deed, errand, incident)
    _require_open(found.fact)
    notice = named(found.fact, number)
    wanted = {"failed", "doubtful"} if doubtful else {"failed"}
    written: list[WrittenFact] = []
    anew = 0
    for letter in letters.every(deed, found.fact.id, number):
        if len(written) == letters.AT_ONCE:
            break
        place, due, was = letter.place, deed.now, letter.anew
        if waits_to_go_anew(letter):
            anew += 1
            place, due, was = notice.people + anew, NEVER, True
        elif letter.state not in wanted:
            continue
        written.append(letters.change(deed, letter, "listed", attempts=0, reason="", place=place, anew=was)[1])
        letters.move(deed, bytes.fromhex(letter.id), due)
    if anew:
        # Their old places are empty from now on: the last approval counted them, and it was given before the incident was over.
        places = {"people": notice.people + anew, "removed": notice.removed + anew, "hands": _hands(notice, errand)}
        fact = _with(found.fact, msgspec.structs.replace(notice, **places))
        written.insert(0, incident_file.change(deed, found, fact))
    if written:
        incidents.tell(deed, errand, found, SENT_AGAIN, *written)
    return len(written) - bool(anew)


def waits_to_go_anew(letter: LetterFact) -> bool:
    """Whether a letter was withheld for no other reason than that its incident was over."""
    return letter.state == "withheld" and letter.reason == INCIDENT_OVER


def note(deed: Deed, errand: Errand, incident: bytes, letter: bytes, result: Result) -> LetterFact:
    """Note what became of a letter that went by hand or by post. Raises NotFound, IncidentState for one that is on its way or arrived."""
    errand, found = incidents.seen(deed, errand, incident)
    known = one(deed, found, letter)
    if not goes_by_hand(found.fact, known, deed.now):
        raise IncidentState
    changed, written = letters.change(deed, known, result, noted_by=errand.hand)
    letters.move(deed, letter, letters.DONE)
    incidents.tell(deed, errand, found, NOTED, written)
    return changed


@dataclass(frozen=True, slots=True)
class Standing:
    """How a notice to the people stands: the incident, the notice, and how many letters are in each state."""

    fact: IncidentFact
    notice: PeopleNotice
    counts: dict[str, int]


def standing(deed: Deed, errand: Errand, incident: bytes, number: int) -> Standing:
    """How far a notice is, person by person counted. Raises NotFound, refusals, Unavailable `integrity` where a letter is missing."""
    _, found = incidents.seen(deed, errand, incident)
    notice = named(found.fact, number)
    counts: dict[str, int] = {}
    for letter in letters.every(deed, found.fact.id, number):
        counts[letter.state] = counts.get(letter.state, 0) + 1
    if sum(counts.values()) - counts.pop("removed", 0) != notice.people - notice.removed:
        # A list that leaves somebody out in silence would be wrong.
        raise Unavailable("integrity")
    return Standing(found.fact, notice, counts)


@dataclass(frozen=True, slots=True)
class Where:
    """Which page of a list: behind the letter with this id, at most so many."""

    after: bytes | None = None
    limit: int = 50


def listed(deed: Deed, errand: Errand, incident: bytes, number: int, where: Where) -> tuple[list[LetterFact], str | None]:
    """A page of a notice's letters, and the id the next page begins after. Raises NotFound, refusals, Unavailable `integrity`."""
    _, found = incidents.seen(deed, errand, incident)
    named(found.fact, number)
    ids = letters.page(deed, found.fact.id, number, where.after, where.limit + 1)
    return letters.known(deed, ids[: where.limit]), ids[where.limit - 1].hex() if len(ids) > where.limit else None


def goes_by_hand(fact: IncidentFact, letter: LetterFact, now: int) -> bool:
    """Whether a letter is somebody's to print, to hand over and to note: by its state, or since no server took it for a day."""
    if letter.state != "listed":
        return letter.state in BY_HAND
    notice = named(fact, letter.notice)
    return letter.place <= notice.approved and max(letter.at, notice.sent[-1].at) + WAITED <= now


def named(fact: IncidentFact, number: int) -> PeopleNotice:
    """The notice of this number. Raises NotFound."""
    found = next((each for each in fact.people_notices if each.part == number), None)
    if found is None:
        raise NotFound
    return found


def one(deed: Deed, found: Incident, letter: bytes) -> LetterFact:
    """A letter of this incident. Raises NotFound, Unavailable `integrity`."""
    known = facts.read(deed, LETTER, letter.hex())
    if known is None or known.incident != found.fact.id:
        raise NotFound
    return known


def _hands(notice: PeopleNotice, errand: Errand) -> tuple[str, ...]:
    return tuple(sorted({*notice.hands, errand.hand}))


def _ids(known: Known) -> list[str]:
    """Every id of a person, whichever of her records she is named by; the first one stands for her."""
    return sorted({known.subject.hex(), *(known.sheet.others if known.sheet is not None else ())})


def _put(deed: Deed, letter: LetterFact, who: Sequence[str]) -> list[WrittenFact]:
    """Write a letter to a person of these ids; nothing where the notice has one to her, by whichever of them it was made.

    Of two sheets that were found to be one person's since, either may have it.
    """
    ids = [letters.id_of(deed, letter.incident, letter.notice, each) for each in who]
    found = facts.read_several(deed, LETTER, [each.hex() for each in ids]).values()
    if any(each.state != "removed" for each in found):
        return []
    before = next(iter(found), None)
    if before is None:
        letters.add(deed, ids[0], letter.incident, letter.notice)
    else:
        letters.move(deed, bytes.fromhex(before.id), NEVER)
    made = msgspec.structs.replace(letter, id=ids[0].hex() if before is None else before.id)
    return [facts.write(deed, LETTER, made.id, made)]


def _with(fact: IncidentFact, notice: PeopleNotice) -> IncidentFact:
    kept = tuple(notice if each.part == notice.part else each for each in fact.people_notices)
    return msgspec.structs.replace(fact, people_notices=kept)


def _require_open(fact: IncidentFact) -> None:
    if fact.state in lifecycle.OVER:
        raise IncidentState
