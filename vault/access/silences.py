"""Numbers and addresses at which somebody said no to being contacted: that holds for every record with the value, whoever's it is (6.4).

Invariants: of a value nothing is kept but a keyed token, sealed, in the one of 256 facts that its first byte names and in the line of the
journal; what makes tokens of stored values gives back tokens and no value; what was agreed to after the no counts. Format:
docs/spec/contact-silence.md.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Final, cast

import msgspec

from keys.blobs import open_blob, seal_blob
from keys.cabinet import Cabinet
from keys.cells import Value
from keys.container import Found, Sealed, found_by, header
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.consent.service import No, Silenced
from vault.errors import Unavailable
from vault.policy.contact import CHANNELS
from vault.policy.facts import Person, Purpose, Question, Standing, Verdict, key
from vault.policy.silence import Silence, silenced
from vault.records import tables
from vault.records.shelf import ATTACHMENT, Whole
from vault.records.values import Stored, stored_key
from vault.rulebook import facts
from vault.rulebook.book import Book
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import FieldFact, PurposeFact
from vault.subjects import people
from vault.subjects.people import Known
from vault.subjects.sheet import RecordState, Sheet

CONTACT: Final = "contact"
"""The action of a purpose, and the class of the fields by which people are contacted."""
SYSTEM: Final = "system"
_KEYED: Final = "contact-silence"
_SIZE: Final = 16


class SilenceFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every no to contact whose token begins with one byte, by purpose and token (hexadecimal): when the newest was recorded.

    `said` has when the newest was said, where that is another moment: a refusal on paper is recorded later.
    """

    since: dict[str, int]
    said: dict[str, int] = {}


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the line of the journal has of a silence, sealed: its moments and tokens (hexadecimal)."""

    recorded_at: int
    said_at: int
    tokens: tuple[str, ...]


SILENCES: Kind[SilenceFact] = Kind("contact-silences", SilenceFact, in_book=False)


def written(deed: Deed, book: Book, known: Known, no: No) -> Silenced:
    """Silence what she can be contacted at for a purpose she says no to: the facts for the entry of the no, the words for its line.

    Nothing for a purpose that contacts nobody. Where a record does not open an alarm rings, and the no stands all the same. Raises
    Unavailable `integrity` where another sheet of hers does not hold.
    """
    what = book.purposes.get(no.purpose)
    if what is None or what.action != CONTACT or known.sheet is None:
        return Silenced()
    standing = known.sheet.person.standings.get(key(no.purpose, no.recipient), Standing())
    covered = {name for one in (standing, *standing.twins) for grant in one.grants for name in grant.fields}
    found: set[bytes] = set()
    for one in (known, *people.others(deed, known)):
        for record, state in one.sheet.records.items() if one.sheet is not None else ():
            place = Whole(deed.association, one.subject, bytes.fromhex(record), state.revision)
            try:
                found.update(_tokens(deed, book, place, state, names=_meant(book, what, covered, state)))
            except Unavailable:
                about = (About(one.subject, place.record),)
                deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", about=about))
    if not found:
        return Silenced()
    words = _Words(deed.now, no.said_at, tuple(sorted(token.hex() for token in found)))
    sealed = seal_blob(deed.cabinet.facts, _context(deed.association, no.purpose), msgspec.json.encode(words))
    return Silenced(_added(deed, no.purpose, words), base64.urlsafe_b64encode(sealed).decode())


def again(deed: Deed, purpose: str, words: str) -> tuple[WrittenFact, ...]:
    """Silence again what a line of the journal says was silenced, whoever is here of those it is about: facts for what was forgotten.

    Raises Unavailable `integrity` for words of another purpose.
    """
    try:
        blob = base64.b64decode(words, altchars=b"-_", validate=True)
        opened = open_blob(deed.cabinet.facts, _context(deed.association, purpose), blob)
        return _added(deed, purpose, msgspec.json.decode(opened, type=_Words))
    except (binascii.Error, Unopenable) as error:
        raise Unavailable("integrity") from error


def _meant(book: Book, purpose: PurposeFact, covered: Collection[str], state: RecordState) -> set[str]:
    """The fields of a record that a no silences: those agreed to and those of the purpose's channel; all, where there is neither."""
    contacts, kinds = _contacts(book, state), {CHANNELS[one] for one in CHANNELS if one == purpose.channel}
    return {one.name for one in contacts if one.name in covered or one.kind in kinds or not (covered or kinds)}


def heeded(deed: Deed, book: Book, question: Question, place: Whole, sheet: Sheet, *, decided: Callable[[Person], Verdict]) -> Verdict:
    """The verdict that `decided` gives about the person, without what ended for the numbers and addresses she would be contacted at.

    `place` is the record she would be contacted through. Raises Unavailable `integrity`.
    """
    verdict = decided(sheet.person)
    if not verdict.allowed or book.purposes[question.purpose].action != CONTACT:
        return verdict
    state = sheet.records[place.record.hex()]
    contacts = {one.name for one in _contacts(book, state)}
    # Who asks for no means of contact has one already: any of the record's.
    tokens = _tokens(deed, book, place, state, names=contacts & question.fields or contacts)
    found = [one for one in [_since(deed, question.purpose, token) for token in tokens] if one is not None]
    if not found:
        return verdict
    since = Silence(max(one.recorded_at for one in found), max(one.said_at for one in found))
    return decided(silenced(sheet.person, question.purpose, since))


def since_withdrawn(deed: Deed, purpose: Purpose, field: FieldFact, said: str) -> Silence | None:
    """The newest no to being contacted at the value with the search key `said` for the purpose, None where nobody ever said one."""
    if purpose.action != CONTACT or not _is_contact(field):
        return None
    return _since(deed, purpose.code, _token(deed.cabinet, field, said))


def _since(deed: Deed, purpose: str, token: bytes) -> Silence | None:
    found = facts.read(deed, SILENCES, token[:1].hex())
    return None if found is None else _stands(found, f"{purpose} {token.hex()}")


def _stands(found: SilenceFact, name: str) -> Silence | None:
    since = found.since.get(name)
    return None if since is None else Silence(since, found.said.get(name, since))


def _added(deed: Deed, purpose: str, words: _Words) -> tuple[WrittenFact, ...]:
    """Write down what these words add to what is known, nothing where that is all."""
    return tuple([one for first, names in _by_first(purpose, words).items() if (one := _grown(deed, first, names, words)) is not None])


def _grown(deed: Deed, first: str, names: Collection[str], words: _Words) -> WrittenFact | None:
    found = facts.read(deed, SILENCES, first) or SilenceFact({})
    since, said = {**found.since}, {**found.said}
    for name in names:
        known = _stands(found, name) or Silence(words.recorded_at, words.said_at)
        since[name], told = max(known.recorded_at, words.recorded_at), max(known.said_at, words.said_at)
        said.pop(name, None)
        if told != since[name]:
            said[name] = told
    grown = SilenceFact(since, said)
    return None if grown == found else facts.write(deed, SILENCES, first, grown)


def _by_first(purpose: str, words: _Words) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for token in words.tokens:
        found.setdefault(token[:2], []).append(f"{purpose} {token}")
    return found


def _context(association: bytes, purpose: str) -> bytes:
    return b"silence/v1" + association + purpose.encode()


def _contacts(book: Book, state: RecordState) -> list[FieldFact]:
    return [one for one in book.types[state.type].fields if _is_contact(one)]


def _is_contact(field: FieldFact) -> bool:
    return field.field_class == CONTACT and field.kind != ATTACHMENT


def _tokens(deed: Deed, book: Book, place: Whole, state: RecordState, *, names: Collection[str]) -> Iterator[bytes]:
    """The token of each value that lies in these fields of a record: made inside `keys` of what it opens, and no value leaves."""
    fields = [one for one in _contacts(book, state) if one.name in names]
    by_class = {class_id: [one for one in fields if one.class_id == class_id] for class_id in {one.class_id for one in fields}}
    for sealed in tables.sealed(deed.transaction, place, state) if fields else ():
        yield from _of_class(deed.cabinet, sealed, by_class.get(sealed.place.class_id, []))


def _of_class(cabinet: Cabinet, sealed: Sealed, fields: list[FieldFact]) -> list[bytes]:
    if not fields:
        return []
    try:
        # A field that was declared since the record was stored has no cell yet.
        laid = header(sealed.container).field_ids
        here = {one.name: one for one in fields if one.number in laid}
        wanted = Sealed(sealed.place, sealed.wrapped, sealed.container, sealed.salt, {name: one.number for name, one in here.items()})
        return [token for _, _, token in found_by(cabinet.keys, wanted, partial(_made, cabinet, here))]
    except Unopenable as error:
        raise Unavailable("integrity") from error


def _made(cabinet: Cabinet, fields: Mapping[str, FieldFact], values: Mapping[str, Value], _key: DataKey) -> list[Found]:
    """For each value that is there its field's number and its token, in the form of what a record is found by."""
    there = [(fields[name], cast(Stored, value)) for name, value in values.items() if value is not None]
    return [(field.number, 0, _token(cabinet, field, stored_key(field.kind, value))) for field, value in there]


def _token(cabinet: Cabinet, field: FieldFact, said: str) -> bytes:
    """The token of a value by its search key: the same in every record type, for every field of this kind."""
    return cabinet.pepper.hash(_KEYED, f"{field.kind}\n{said}")[:_SIZE]
