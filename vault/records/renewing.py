"""Renews the keys of a person's classes: every record of hers is sealed anew under keys of the next version, and the old ones are gone.

Invariant: no value leaves: what is opened comes back sealed, or as a check that tells nothing without its key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keys.container import Sealed, reseal_under
from keys.errors import Unopenable
from keys.keyring import DataKey
from vault.access_log.deed import Deed
from vault.errors import NotFound, Unavailable
from vault.records import index, shelf, tables
from vault.records.emptying import new_keys
from vault.records.service import move_containers
from vault.rulebook.asker import Errand
from vault.subjects import people
from vault.subjects.sheet import RecordState, Stored


@dataclass(frozen=True, slots=True)
class _Old:
    """One record before its keys are renewed: its place at the next revision, and what is stored of it."""

    whole: shelf.Whole
    state: RecordState
    found_by: Sequence[index.Entry]
    sealed: Sequence[Sealed]


def renew(deed: Deed, errand: Errand, known: people.Known) -> list[Stored]:
    """Give every class of hers another key; the events of it, one for each record.

    Raises NotFound for who has no sheet, Unavailable `integrity` where what is stored does not hold.
    """
    if known.sheet is None:
        raise NotFound
    olds = [_old(deed, known.subject, bytes.fromhex(record), state) for record, state in sorted(known.sheet.records.items())]
    # Read first: from here on the wrapped keys are others.
    keys = new_keys(deed, known.subject)
    return [_renewed(deed, errand, old, keys) for old in olds]


def _old(deed: Deed, subject: bytes, record: bytes, state: RecordState) -> _Old:
    whole = shelf.Whole(deed.association, subject, record, state.revision + 1)
    return _Old(whole, state, index.stored(deed, {record: state})[record], tables.sealed(deed.transaction, whole, state))


def _renewed(deed: Deed, errand: Errand, old: _Old, keys: Mapping[int, DataKey]) -> Stored:
    shape, whole, own = errand.book(deed).types[old.state.type], old.whole, deed.cabinet.keys
    try:
        sealed = {one.place.class_id: reseal_under(keys[one.place.class_id], own, one, whole.revision) for one in old.sealed}
        rows = index.renewed(deed, shape, old.found_by, {one.place.class_id: one for one in old.sealed}, keys, record=whole.record)
    except Unopenable as error:
        raise Unavailable("integrity") from error
    move_containers(deed, whole, sealed)
    index.drop(deed, whole, index.numbers(rows))
    index.add(deed, whole, rows)
    return Stored(
        record=whole.record.hex(),
        type=shape.name,
        schema=old.state.schema,
        revision=whole.revision,
        salts=shelf.salts(sealed),
        at=deed.now,
        by=errand.hand,
        review_month=old.state.review_month,
        tokens=index.digest(rows),
    )
