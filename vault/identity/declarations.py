"""Lays down purposes and record types: proposed by one person and in force once another has approved that very wording (promise 9).

Invariants: nothing is ever wider than the association's pack, when it is proposed and again when it is approved; with the first record of a
type its fields are settled, since what is sealed already would lack a new one and lose an old one; a purpose made narrower is a line of the
journal before it is answered.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from sqlalchemy import exists, select

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict
from vault.identity import declared
from vault.identity.callers import Caller, still
from vault.identity.declared import WantedField, WantedPurpose
from vault.identity.proposals import PURPOSE_PROPOSAL, TYPE_PROPOSAL, PurposeProposal, TypeProposal, proposed
from vault.identity.second_factor import SecondFactor
from vault.identity.two_people import require_two
from vault.policy.pack import Predicate, within
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book, purpose_of
from vault.rulebook.shapes import PURPOSE, RECORD_TYPE, RecordTypeFact
from vault.storage.journal import Closing
from vault.subjects import tables

T = TypeVar("T")

FIRST_OWN_SCHEMA: Final = 0x8000
LAST_SCHEMA: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of a wording: `proposed` under an id (hex) that its approval names, or `in-force` as it stands."""

    state: str
    proposal: str | None = None


@dataclass(frozen=True, slots=True)
class Declarations:
    """The deeds about purposes and record types."""

    factor: SecondFactor

    async def propose_purpose(self, caller: Caller, code: str, wanted: WantedPurpose) -> Declared:
        """Propose a purpose, in the place of what waits under its code. Raises Invalid `wider-than-pack` and others."""

        def unit(deed: Deed) -> Declared:
            asker = still(deed, caller)
            book = asker.association.books.at(deed)
            fact = declared.purpose(book.pack, code, wanted)
            old = facts.read(deed, PURPOSE_PROPOSAL, code)
            if book.purposes.get(code) == fact:
                return _withdraw_purpose(deed, asker, old)
            if old is not None and old.state == "proposed" and (old.purpose, old.proposed_by) == (fact, asker.ref):
                return Declared("proposed", old.id)
            new = PurposeProposal(id=os.urandom(16).hex(), purpose=fact, proposed_by=asker.ref, proposed_at=deed.now)
            written = facts.write(deed, PURPOSE_PROPOSAL, code, new)
            deed.append(_entry("purpose.proposed", asker, written))
            return Declared("proposed", new.id)

        return await caller.association.run(unit)

    async def propose_type(
        self,
        caller: Caller,
        name: str,
        fields: list[WantedField],
        one_of: tuple[tuple[str, ...], ...] | None,
        predicates: tuple[Predicate, ...] | None = None,
    ) -> Declared:
        """Propose a record type, in the place of what waits under its name.

        Raises Invalid `wider-than-pack` and others, Conflict `type-in-use` where records of it are stored that the change would not fit.
        """

        def unit(deed: Deed) -> Declared:
            asker = still(deed, caller)
            book = asker.association.books.at(deed)
            fact = declared.record_type(book.pack, name, fields, one_of, predicates)
            standing = book.types.get(name)
            if standing is not None:
                fact = msgspec.structs.replace(fact, schema=standing.schema)
            old = facts.read(deed, TYPE_PROPOSAL, name)
            if standing == fact:
                return _withdraw_type(deed, asker, old)
            _require_free(deed, standing, fact)
            if old is not None and old.state == "proposed" and (old.record_type, old.proposed_by) == (fact, asker.ref):
                return Declared("proposed", old.id)
            new = TypeProposal(id=os.urandom(16).hex(), record_type=fact, proposed_by=asker.ref, proposed_at=deed.now)
            written = facts.write(deed, TYPE_PROPOSAL, name, new)
            deed.append(_entry("record-type.proposed", asker, written))
            return Declared("proposed", new.id)

        return await caller.association.run(unit)

    async def waiting_purpose(self, caller: Caller, code: str) -> PurposeProposal:
        """Return the purpose that waits under this code. Raises NotFound, Conflict where it is settled."""
        return await _look(caller, lambda deed: proposed(deed, PURPOSE_PROPOSAL, code))

    async def waiting_type(self, caller: Caller, name: str) -> TypeProposal:
        """Return the record type that waits under this name. Raises NotFound, Conflict where it is settled."""
        return await _look(caller, lambda deed: proposed(deed, TYPE_PROPOSAL, name))

    async def approve_purpose(self, caller: Caller, code: str, proposal: bytes, one_time_code: str | None) -> None:
        """Approve the wording another person proposed: it is in force from this answer on.

        Raises NotFound, Conflict for another wording than waits, Invalid `wider-than-pack` where the pack does not allow it now, refusals
        `same-person` and `step-up-required`, TooMany.
        """
        await _approved(caller, lambda deed: self._approve_purpose(deed, still(deed, caller), code, proposal.hex(), one_time_code))

    async def approve_type(self, caller: Caller, name: str, proposal: bytes, one_time_code: str | None) -> None:
        """Approve the wording another person proposed, as `approve_purpose`; Conflict `type-in-use` where records were stored since."""
        await _approved(caller, lambda deed: self._approve_type(deed, still(deed, caller), name, proposal.hex(), one_time_code))

    def _approve_purpose(self, deed: Deed, caller: Caller, code: str, proposal: str, one_time_code: str | None) -> None:
        kind, book = "purpose.approved", caller.association.books.at(deed)
        waits = proposed(deed, PURPOSE_PROPOSAL, code)
        if waits.id != proposal:
            raise Conflict
        require_two(book, waits.proposed_by, caller, kind)
        declared.require_purpose_within(book.pack, waits.purpose)
        approval = self.factor.approve(deed, caller, one_time_code, kind=kind)
        settled = msgspec.structs.replace(waits, state="approved", settled_by=caller.ref, settled_at=deed.now)
        written = (facts.write(deed, PURPOSE, code, waits.purpose), facts.write(deed, PURPOSE_PROPOSAL, code, settled))
        entry = Entry(kind=kind, outcome="allow", actor=caller.ref, facts=(*approval.facts, *written), flags=approval.flags)
        old = book.purposes.get(code)
        narrower = old is not None and not within(purpose_of(old), purpose_of(waits.purpose))
        deed.append(entry, changes_law=True, closes=Closing("purpose", code) if narrower else None)

    def _approve_type(self, deed: Deed, caller: Caller, name: str, proposal: str, one_time_code: str | None) -> None:
        kind, book = "record-type.approved", caller.association.books.at(deed)
        waits = proposed(deed, TYPE_PROPOSAL, name)
        if waits.id != proposal:
            raise Conflict
        require_two(book, waits.proposed_by, caller, kind)
        declared.require_type_within(book.pack, waits.record_type)
        standing = book.types.get(name)
        _require_free(deed, standing, waits.record_type)
        fact = msgspec.structs.replace(waits.record_type, schema=standing.schema if standing else _next_schema(book))
        approval = self.factor.approve(deed, caller, one_time_code, kind=kind)
        settled = msgspec.structs.replace(waits, record_type=fact, state="approved", settled_by=caller.ref, settled_at=deed.now)
        written = (facts.write(deed, RECORD_TYPE, name, fact), facts.write(deed, TYPE_PROPOSAL, name, settled))
        entry = Entry(kind=kind, outcome="allow", actor=caller.ref, facts=(*approval.facts, *written), flags=approval.flags)
        deed.append(entry, changes_law=True)


async def _approved(caller: Caller, unit: Callable[[Deed], None]) -> None:
    await heard(Errand(caller, ""), lambda: caller.association.run(unit))
    await caller.association.refresh()


async def _look(caller: Caller, question: Callable[[Deed], T]) -> T:
    def unit(deed: Deed) -> T:
        still(deed, caller)
        return question(deed)

    return await caller.association.run(unit)


def _withdraw_purpose(deed: Deed, caller: Caller, old: PurposeProposal | None) -> Declared:
    """What is asked for is in force: whatever else waited is withdrawn."""
    if old is not None and old.state == "proposed":
        withdrawn = msgspec.structs.replace(old, state="withdrawn", settled_by=caller.ref, settled_at=deed.now)
        deed.append(_entry("purpose.proposal-withdrawn", caller, facts.write(deed, PURPOSE_PROPOSAL, old.purpose.code, withdrawn)))
    return Declared("in-force")


def _withdraw_type(deed: Deed, caller: Caller, old: TypeProposal | None) -> Declared:
    if old is not None and old.state == "proposed":
        withdrawn = msgspec.structs.replace(old, state="withdrawn", settled_by=caller.ref, settled_at=deed.now)
        deed.append(_entry("record-type.proposal-withdrawn", caller, facts.write(deed, TYPE_PROPOSAL, old.record_type.name, withdrawn)))
    return Declared("in-force")


def _entry(kind: str, caller: Caller, written: WrittenFact) -> Entry:
    return Entry(kind=kind, outcome="allow", actor=caller.ref, facts=(written,), flags=caller.flags)


def _require_free(deed: Deed, standing: RecordTypeFact | None, wanted: RecordTypeFact) -> None:
    """Raise Conflict `type-in-use` where stored records would lack a field, lose one, or not be found by one."""
    if standing is None:
        return
    was = {one.name: one for one in standing.fields}
    same = was.keys() == {one.name for one in wanted.fields} and not any(one.searchable > was[one.name].searchable for one in wanted.fields)
    record = tables.record
    stored = select(exists().where(record.c.association_id == deed.association, record.c.type == standing.name))
    if not same and deed.transaction.connection.execute(stored).scalar():
        raise Conflict("type-in-use")


def _next_schema(book: Book) -> int:
    number = max([FIRST_OWN_SCHEMA - 1, *(each.schema for each in book.types.values())]) + 1
    if number > LAST_SCHEMA:
        raise Conflict
    return number
