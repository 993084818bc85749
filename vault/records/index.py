"""The blind index of records: the rows of tokens and checks that are written with a record, and how a value finds its candidates.

Invariants: a row is written for every searchable field, of random bytes where the value is absent, so that what a person lacks cannot be
seen; the rows of a record count only where their digest is the one in the person's sheet; no cell is opened here and no value leaves.
Format, lengths and growth: docs/spec/blind-index.md, docs/adr/0021-index-by-generations.md.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from hmac import compare_digest
from operator import itemgetter
from struct import Struct
from struct import error as unpackable
from typing import Any, Final

from keys.blind_index import FEWEST_DISTINCT, Index, check, plan
from keys.container import Checked, Sealed, recheck
from keys.errors import Unopenable
from keys.keyring import AssociationKeys, DataKey
from vault.access_log.deed import Deed
from vault.errors import FieldError, Invalid, Unavailable
from vault.policy.pack_facts import FEW_VALUES
from vault.records import tables
from vault.records.shelf import Whole
from vault.records.values import NAME_KEYS_VERSION, Stored, ValueRefused, name, search_key, stored_key
from vault.rulebook.shapes import FieldFact, RecordTypeFact
from vault.subjects.sheet import RecordState

LOOSE: Final = 0x10000
"""Added to the number of a name's field, and to the index version, for the token of its loose key, which only suggests."""
STEP: Final = 4
"""A generation of tokens ends when the association has grown to so many times what it began with."""
GENERATIONS: Final = 12
_SMALLEST: Final = 32
_TOKEN_BITS: Final = 32
_LENGTH_BITS: Final = 8
_NUMBER = 0xFFFF
_CHECK = 16
_ROW = Struct(">IQ16s")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the field's number (with LOOSE for a loose key), the token with its version, and the 16-byte check."""

    field_id: int
    token: int
    proof: bytes


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a lookup met: how many rows, every record of them, and those whose check holds, by record id.

    `crowded` where more rows have the value's tokens than a lookup looks at: then no check was made.
    """

    count: int
    records: tuple[bytes, ...]
    matched: tuple[bytes, ...]
    crowded: bool = False


def searchable(shape: RecordTypeFact) -> tuple[FieldFact, ...]:
    """The fields of a type that its records are found by."""
    return tuple(one for one in shape.fields if one.searchable and one.kind not in FEW_VALUES)


def bits_for(population: int) -> int:
    """How many bits a token gets that is written while there are so many records: those of the generation it falls in, 0 below 16."""
    if population < FEWEST_DISTINCT:
        return 0
    begun = FEWEST_DISTINCT
    for _ in range(GENERATIONS - 2):
        if begun * STEP > population:
            break
        begun *= STEP
    return plan(begun, begun)


LENGTHS: Final = (0, *(bits_for(FEWEST_DISTINCT * STEP**generation) for generation in range(GENERATIONS - 1)))
"""Every length a token can have: a lookup asks for all of them at once."""


def population(deed: Deed) -> int:
    """About how many records the association has: exact below 32, within a fifth beyond, from the ids, which are random."""
    ids = tables.SMALLEST.rows(deed.transaction, {"association": deed.association})
    if len(ids) < _SMALLEST:
        return len(ids)
    return ((_SMALLEST - 1) << 128) // (int.from_bytes(ids[-1][0], "big") + 1)


def entries(
    deed: Deed,
    shape: RecordTypeFact,
    values: Mapping[str, Any],
    keys: Mapping[int, DataKey],
    whole: Whole,
    *,
    only: Collection[str] | None = None,
    among: int | None = None,
) -> list[Entry]:
    """The rows of a record's searchable fields, or of those named in `only`; a value that is absent gives random ones.

    `among` says how many records there are where that was counted before.
    """
    fields = [one for one in searchable(shape) if only is None or one.name in only]
    if not fields:
        return []
    bits = bits_for((population(deed) if among is None else among) + 1)
    return [
        _entry(deed.cabinet.index, shape.name, number, bits, key=key, data_key=keys[one.class_id], record=whole.record)
        for one in fields
        for number, key in _keys_of(one, values.get(one.name))
    ]


def digest(rows: Iterable[Entry]) -> str:
    """What the sheet keeps of a record's rows: SHA-256 over number, token and check of each, in order; empty for none."""
    ordered = sorted(rows, key=lambda row: row.field_id)
    if any(len(row.proof) != _CHECK for row in ordered):
        raise ValueError(_CHECK)
    packed = b"".join(_ROW.pack(row.field_id, row.token, row.proof) for row in ordered)
    return sha256(packed).hexdigest() if packed else ""


def stored(deed: Deed, states: Mapping[bytes, RecordState]) -> dict[bytes, list[Entry]]:
    """The rows of these records. Raises Unavailable `integrity` where they are not the ones the sheets name."""
    found: dict[bytes, list[Entry]] = {record: [] for record in states}
    for record, *row in tables.TOKENS.rows(deed.transaction, {"association": deed.association}, list(states)) if states else ():
        found[record].append(Entry(*row))
    if any(not holds(rows, states[record]) for record, rows in found.items()):
        raise Unavailable("integrity")
    return found


def holds(rows: Sequence[Entry], state: RecordState) -> bool:
    """Whether these are the rows that were written with the record's present state."""
    try:
        return digest(rows) == state.tokens
    except (TypeError, ValueError, OverflowError, unpackable):
        return False  # SQLite takes any type in any column


def add(deed: Deed, whole: Whole, rows: Sequence[Entry]) -> None:
    """Write the rows of a new record, or of fields whose rows were dropped."""
    place = {"t_association_id": whole.association, "t_record": whole.record}
    if rows:
        tables.ADD_TOKEN.run(
            deed.transaction, [{**place, "t_field_id": row.field_id, "t_token": row.token, "t_proof": row.proof} for row in rows]
        )


def without(rows: Iterable[Entry], numbers: Collection[int]) -> list[Entry]:
    """The rows but those of the fields with these numbers, strict or loose."""
    return [row for row in rows if row.field_id & _NUMBER not in numbers]


def drop(deed: Deed, whole: Whole, numbers: Collection[int]) -> None:
    """Take away what the record is found by through the fields with these numbers: their values change."""
    place = {"association": whole.association, "which": whole.record}
    tables.DROP_TOKEN.run(deed.transaction, [{**place, "field": number | kind} for number in numbers for kind in (0, LOOSE)])


def numbers(rows: Iterable[Entry]) -> set[int]:
    """The numbers of the fields that these rows are of."""
    return {row.field_id & _NUMBER for row in rows}


def renewed(
    deed: Deed, shape: RecordTypeFact, rows: Sequence[Entry], sealed: Mapping[int, Sealed], keys: Mapping[int, DataKey], *, record: bytes
) -> list[Entry]:
    """The rows of a record with their checks made anew under these keys, by class id, from what is `sealed`; no value leaves.

    Tokens stay: they are nobody's own. The check of a value that is absent is drawn anew, so that nobody sees that it is.
    Raises Unopenable where a row or a cell does not hold.
    """
    by_number = {one.number: one for one in shape.fields}
    made = []
    for row in rows:
        field = by_number.get(row.field_id & _NUMBER)
        if field is None:
            raise Unopenable
        wanted = Checked(field.number, row.token >> _TOKEN_BITS, partial(_over, field, row.field_id, record))
        proof = recheck(keys[field.class_id], deed.cabinet.keys, sealed[field.class_id], wanted)
        made.append(replace(row, proof=os.urandom(_CHECK) if proof is None else proof))
    return made


def _over(field: FieldFact, number: int, record: bytes, stored: Stored | None) -> str | None:
    """What the check of a stored value is made over in the row of this number, None where the value is absent."""
    key = dict(_keys_of(field, stored))[number]
    return None if key is None else _said(record, key)


def key_of(field: FieldFact, value: object) -> str:
    """The one string a value is sought under, however it was typed. Raises Invalid for what is no value of the field."""
    try:
        return search_key(field.kind, value)
    except ValueRefused as refused:
        raise Invalid([FieldError("value", refused.code)]) from None


def loose_key_of(field: FieldFact, value: object) -> str | None:
    """The string under which a name suggests others that may be the same person's; None for what is no name."""
    return name(str(value)).loose if field.kind == "name" else None


def lookup(deed: Deed, shape: RecordTypeFact, field: FieldFact, key: str, *, loose: bool = False) -> Candidates:
    """Who has this value in this field: the rows with its tokens, and the records whose check holds. It opens no cell."""
    cabinet, number = deed.cabinet, field.number | LOOSE if loose else field.number
    tokens = [_token(cabinet.index, shape.name, number, bits, key) for bits in LENGTHS]
    rows = tables.CANDIDATES.rows(deed.transaction, {"association": deed.association, "field": number}, tokens)
    if not all(isinstance(row[0], bytes) for row in rows):
        raise Unavailable("integrity")
    rows.sort(key=itemgetter(0))
    if len(rows) > tables.MOST_CANDIDATES:
        return Candidates(len(rows), (), (), crowded=True)
    of_type = {"association": deed.association, "type": shape.name, "class_id": field.class_id}
    owners = tables.OWNERS.rows(deed.transaction, of_type, [row[0] for row in rows]) if rows else []
    whose = {record: (subject, wrapped) for record, subject, wrapped in owners}
    met = [(Entry(number, token, proof), record) for record, token, proof in rows if record in whose]
    matched = tuple(record for row, record in met if _is(cabinet.keys, field.class_id, row, _said(record, key), whose[record]))
    return Candidates(len(met), tuple(record for _, record in met), matched)


def _keys_of(field: FieldFact, stored: Stored | None) -> list[tuple[int, str | None]]:
    """The numbers a field's stored value is indexed under, each with the string; None stands for a value that is absent."""
    if field.kind != "name":
        return [(field.number, None if stored is None else stored_key(field.kind, stored))]
    read = None if stored is None else name(str(stored))
    return [(field.number, read.strict if read else None), (field.number | LOOSE, read.loose if read else None)]


def _entry(index: Index, type_: str, number: int, bits: int, *, key: str | None, data_key: DataKey, record: bytes) -> Entry:
    version = _version(number, bits)
    if key is None:
        drawn = int.from_bytes(os.urandom(4), "big") >> (_TOKEN_BITS - bits)
        return Entry(number, version << _TOKEN_BITS | drawn, os.urandom(_CHECK))
    return Entry(number, _token(index, type_, number, bits, key), check(data_key, number & _NUMBER, version, _said(record, key)))


def _token(index: Index, type_: str, number: int, bits: int, key: str) -> int:
    version = _version(number, bits)
    return version << _TOKEN_BITS | (index.token(number & _NUMBER, version, bits, type_, key) if bits else 0)


def _version(number: int, bits: int) -> int:
    """The index version: how values are normalised, strictly or loosely, and how long the token is."""
    return number & LOOSE | NAME_KEYS_VERSION << _LENGTH_BITS | bits


def _said(record: bytes, key: str) -> str:
    """What a check is made over: bound to the record, so that it holds for no other of the same person."""
    return f"{record.hex()}\n{key}"


def _is(keys: AssociationKeys, class_id: int, row: Entry, said: str, owner: tuple[bytes, bytes]) -> bool:
    try:
        data_key = keys.unwrap(owner[0], class_id, owner[1])
        return compare_digest(check(data_key, row.field_id & _NUMBER, row.token >> _TOKEN_BITS, said), row.proof)
    except (Unopenable, TypeError, unpackable):
        # A row that lies loses a match and gives none; `amanah doctor` names it.
        return False
