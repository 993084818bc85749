"""Numbers and addresses that somebody withdrew from being contacted at: they hold for every record with that value, whoever's it is (6.4).

Invariants: of a value nothing is kept but a keyed token, sealed, in the one of 256 facts that its first byte names; what makes tokens of
stored values gives back tokens and no value; what was agreed to after the withdrawal counts. Format: docs/spec/contact-silence.md.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Final, cast

import msgspec

from keys.cabinet import Cabinet
from keys.cells import Value
from keys.container import Found, Sealed, found_by, header
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.errors import Unavailable
from vault.policy.facts import Person, Purpose, Question, Standing, Verdict, key
from vault.policy.silence import silenced
from vault.records import tables
from vault.records.shelf import ATTACHMENT, Whole
from vault.records.values import Stored, stored_key
from vault.rulebook import facts
from vault.rulebook.book import Book
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import FieldFact
from vault.subjects.people import Known
from vault.subjects.sheet import RecordState, Sheet

CONTACT: Final = "contact"
"""The action of a purpose, and the class of the fields by which people are contacted."""
SYSTEM: Final = "system"
_KEYED: Final = "contact-silence"
_SIZE: Final = 16


class SilenceFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The withdrawals of contact whose tokens begin with one byte: the newest moment, by purpose and token (hexadecimal)."""

    since: dict[str, int]


SILENCES: Kind[SilenceFact] = Kind("contact-silences", SilenceFact, in_book=False)


def written(deed: Deed, book: Book, known: Known, purpose: str, recipient: str) -> tuple[WrittenFact, ...]:
    """Silence what she can be contacted at under the consents that are about to end: the facts, for the entry of the withdrawal.

    Nothing for a purpose that contacts nobody. Where a record does not open an alarm rings, and the withdrawal stands all the same.
    """
    what = book.purposes.get(purpose)
    if what is None or what.action != CONTACT or known.sheet is None:
        return ()
    standing = known.sheet.person.standings.get(key(purpose, recipient), Standing())
    names = {name for one in (standing, *standing.twins) for grant in one.grants for name in grant.fields}
    found: set[bytes] = set()
    for record, state in known.sheet.records.items():
        place = Whole(deed.association, known.subject, bytes.fromhex(record), state.revision)
        try:
            found.update(_tokens(deed, book, place, state, names=names))
        except Unavailable:
            about = (About(known.subject, place.record),)
            deed.append(Entry(kind="alarm", outcome="error", actor=SYSTEM, reason="INTEGRITY", about=about))
    return tuple(_added(deed, purpose, first, tokens) for first, tokens in sorted(_by_first(found).items()))


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
    since = max([_since(deed, question.purpose, token) for token in tokens], default=0)
    return decided(silenced(sheet.person, question.purpose, since)) if since else verdict


def since_withdrawn(deed: Deed, purpose: Purpose, field: FieldFact, said: str) -> int:
    """When being contacted at the value with the search key `said` was last withdrawn for the purpose (microseconds UTC), 0 for never."""
    if purpose.action != CONTACT or not _is_contact(field):
        return 0
    return _since(deed, purpose.code, _token(deed.cabinet, field, said))


def _since(deed: Deed, purpose: str, token: bytes) -> int:
    found = facts.read(deed, SILENCES, token[:1].hex())
    return 0 if found is None else found.since.get(f"{purpose} {token.hex()}", 0)


def _added(deed: Deed, purpose: str, first: str, tokens: Collection[bytes]) -> WrittenFact:
    found = facts.read(deed, SILENCES, first) or SilenceFact({})
    return facts.write(deed, SILENCES, first, SilenceFact({**found.since, **{f"{purpose} {token.hex()}": deed.now for token in tokens}}))


def _by_first(tokens: Collection[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for token in sorted(tokens):
        found.setdefault(token[:1].hex(), []).append(token)
    return found


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
