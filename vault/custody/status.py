"""How the keys stand and what to do next, in sentences for somebody who is tired; never a secret, never a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from keys.cabinet import Cabinet
from keys.epochs import Told
from vault.custody.tables import counted
from vault.rulebook.facts import holding
from vault.rulebook.key_facts import CEREMONY, CeremonyFact, KeysFact, keys_fact_from
from vault.web import write_id

ROTATE_AFTER_DAYS: Final = 90
_WAITING: Final = ("proposed", "approved", "carrying-out")


@dataclass(frozen=True, slots=True)
class Awaited:
    """An erasure of which a copy still opens: the newest epoch its keys were wrapped under, and the day named ("" for none)."""

    epoch: int
    due: str


class EpochStanding(msgspec.Struct, frozen=True):
    """An epoch: its number, the day it was made, how many keys lie wrapped under it, by table."""

    epoch: int
    made_on: str
    keys: dict[str, int]


class RetiredStanding(msgspec.Struct, frozen=True):
    """Epochs that were retired: those below a number, when, by which ceremony, which named copies nobody has accounted for yet."""

    below: int
    on: str
    ceremony: str
    copies_left: list[str]


class CeremonyStanding(msgspec.Struct, frozen=True):
    """A ceremony that is not settled: its id, what it does, to what, how it stands."""

    id: str
    act: str
    what: str
    state: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one association; `late` where a day that a certificate named has passed and something still opens."""

    association: str
    newest: int
    minimum: int
    epochs: list[EpochStanding]
    behind: int
    slots: list[tuple[str, str]]
    copies: list[str]
    retired: list[RetiredStanding]
    ceremonies: list[CeremonyStanding]
    erasures_open: int
    due: str | None
    late: bool
    next: list[str]


def standing(connection: Connection, cabinet: Cabinet, code: str, *, told: Told, awaited: Sequence[Awaited], now: int) -> Standing:
    """How the keys stand, on a connection that sees one moment. Raises Unavailable `integrity`."""
    association, today = cabinet.keys.association, _day(now)
    known = keys_fact_from(connection, cabinet, association)
    by_table = counted(connection, association)
    epochs = [EpochStanding(number, _day(made), _under(by_table, number)) for number, made in told.epochs]
    newest = told.epochs[-1][0]
    waiting = [each for each in holding(connection, cabinet, association, CEREMONY).values() if each.state in _WAITING]
    waiting.sort(key=lambda each: each.proposed_at)
    behind = sum(count for found in by_table.values() for epoch, count in found.items() if epoch != newest)
    dues = sorted(each.due for each in awaited if each.due)
    found = _Found(known, newest, epochs[-1].made_on, by_table, waiting, awaited, dues[0] if dues else "", today)
    return Standing(
        association=code,
        newest=newest,
        minimum=told.minimum,
        epochs=epochs,
        behind=behind,
        slots=list(told.slots),
        copies=[each.name for each in known.copies],
        retired=_retired(known),
        ceremonies=[CeremonyStanding(_id(each.id), each.act, str(each.below or each.name), each.state) for each in waiting],
        erasures_open=len(awaited),
        due=dues[0] if dues else None,
        late=bool(dues) and dues[0] < today,
        next=_next(found) or ["Nothing is to be done."],
    )


def lines(one: Standing) -> list[str]:
    """The same, told."""
    told = [f"{one.association}: the newest epoch is {one.newest}; everything new is wrapped under it."]
    for each in one.epochs:
        total = sum(each.keys.values())
        where = "".join(f"; {count} in {table}" for table, count in each.keys.items())
        told.append(f"  Epoch {each.epoch}, made on {each.made_on}: {total} keys{where}.")
    told += [f"  Slot {name}: a root of kind {kind} opens the keys." for name, kind in one.slots]
    told += [f"  There is a named copy of the file epochs: {name}." for name in one.copies] or [
        "  There is no named copy of the file epochs."
    ]
    for gone in one.retired:
        left = f"copies not accounted for: {', '.join(gone.copies_left)}" if gone.copies_left else "no copy of them is left"
        told.append(f"  The epochs below {gone.below} were retired on {gone.on}; {left}.")
    told += [f"  Ceremony {each.id}: {each.act} {each.what}, {each.state}." for each in one.ceremonies]
    if one.erasures_open:
        until = f"; the first certificate says until {one.due}" if one.due else ""
        told.append(f"  Of {one.erasures_open} erasures an older copy of the database still opens something{until}.")
    if one.late:
        told.append(f"  LATE: that day has passed. Until the epochs are retired the certificate of {one.due} is not true.")
    return [*told, "What to do next:", *(f"  {sentence}" for sentence in one.next)]


@dataclass(frozen=True, slots=True)
class _Found:
    known: KeysFact
    newest: int
    made_on: str
    by_table: dict[str, dict[int, int]]
    waiting: Sequence[CeremonyFact]
    awaited: Sequence[Awaited]
    due: str
    today: str


def _next(found: _Found) -> list[str]:
    return [*_for_erasures(found), *_of_ceremonies(found), *_for_copies(found), *_without_haste(found)]


def _for_erasures(found: _Found) -> list[str]:
    """What brings the epochs down that erased keys were wrapped under: rotate, rewrap, retire, one after the other."""
    living = [each.epoch for each in found.awaited if each.epoch >= found.known.minimum]
    if not living:
        return []
    last, until = max(living), f" Until {found.due}." if found.due else ""
    if last >= found.newest:
        return [f"Make a new epoch: amanah keys rotate.{until}"]
    left = sum(count for table in found.by_table.values() for epoch, count in table.items() if epoch <= last)
    if left:
        return [f"Wrap {left} keys anew, the service may run: amanah keys rewrap.{until}"]
    if any(each.act == "retire" and (each.below or 0) > last for each in found.waiting):
        return []
    return [f"Have two people retire the old epochs; the first one proposes it: amanah keys retire --below {last + 1}.{until}"]


def _of_ceremonies(found: _Found) -> list[str]:
    told = []
    for each in found.waiting:
        what = f"{each.act} {each.below or each.name}"
        if each.state == "proposed":
            told.append(f"Somebody other than who proposed it approves {what}: amanah keys approve {_id(each.id)}.")
        else:
            told.append(f"At the machine with the root key, carry {what} out: amanah keys carry-out {_id(each.id)}.")
    return told


def _for_copies(found: _Found) -> list[str]:
    return [
        f"Replace or destroy the copy {copy.name} of the file epochs, then say so: amanah keys confirm {_id(each.ceremony)} {copy.name}."
        for each in found.known.retirements
        for copy in each.copies
        if copy.gone_at is None
    ]


def _without_haste(found: _Found) -> list[str]:
    """What is good order where no erasure waits for it."""
    if any(each.epoch >= found.known.minimum for each in found.awaited):
        return []
    left = sum(count for table in found.by_table.values() for epoch, count in table.items() if epoch != found.newest)
    if left:
        return [f"Wrap {left} keys anew, the service may run: amanah keys rewrap."]
    old, retiring = found.newest - 1, any(each.act == "retire" for each in found.waiting)
    if found.known.minimum <= old and not retiring:
        return [f"Nothing lies under epoch {old} any more; two people may retire it: amanah keys retire --below {found.newest}."]
    age = (date.fromisoformat(found.today) - date.fromisoformat(found.made_on)).days
    return [f"The newest epoch is {age} days old: amanah keys rotate."] if age >= ROTATE_AFTER_DAYS else []


def _retired(known: KeysFact) -> list[RetiredStanding]:
    return [
        RetiredStanding(each.below, _day(each.at), _id(each.ceremony), [copy.name for copy in each.copies if copy.gone_at is None])
        for each in known.retirements
    ]


def _under(by_table: dict[str, dict[int, int]], epoch: int) -> dict[str, int]:
    return {table: found[epoch] for table, found in by_table.items() if found.get(epoch)}


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1_000_000, UTC).date().isoformat()


def _id(text: str) -> str:
    return write_id(bytes.fromhex(text))
