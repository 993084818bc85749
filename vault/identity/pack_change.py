"""Puts an association under another pack or another version of its own: proposed by one person, weighed, and approved by another.

Invariants: nothing is approved but the very words and the very changes that were proposed; the floor holds when it is proposed and again
when it is approved; every purpose made narrower is a line of the journal before it is answered, so that an older database put back opens
nothing that was shut.
"""

import os
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import select

from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.identity import pack_effects, pack_plan
from vault.identity.callers import Caller, still
from vault.identity.pack_effects import Affected, Tally, Wanted, Weighing
from vault.identity.pack_plan import Plan, PurposeChange
from vault.identity.proposals import PURPOSE_PROPOSAL, State
from vault.identity.second_factor import SecondFactor
from vault.identity.two_people import require_two
from vault.policy import pack as packs
from vault.policy.pack import Pack, PackRefused, Source
from vault.rulebook import facts
from vault.rulebook.alarm import heard
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book, notice_key
from vault.rulebook.facts import Kind
from vault.rulebook.pinned import JOURNAL, PACK, PackFact, key_of
from vault.rulebook.shapes import ASSOCIATION, NOTICE, PURPOSE, RECORD_TYPE, Fact, PurposeFact
from vault.storage.journal import Closing
from vault.subjects import tables

REFUSED: Final = "pack-refused"
TAKEN: Final = "pack-version-taken"
MOVED: Final = "pack-proposal-moved"
APPROVED: Final = "pack.approved"
_KEY: Final = "newest"


class PackProposal(Fact, frozen=True):
    """A pack as it is proposed; `changes_sha256` is over what it changes, so that an approval is of what was seen."""

    id: str
    name: str
    version: str
    sha256: str
    own: str
    proposed_by: str
    proposed_at: int
    changes_sha256: str
    below: str = ""
    state: State = "proposed"
    settled_by: str = ""
    settled_at: int = 0

    @property
    def words(self) -> Source:
        """What the pack is read from."""
        return Source(self.own, self.below)


PROPOSAL: Final[Kind[PackProposal]] = Kind("pack_proposal", PackProposal, in_book=False)


@dataclass(frozen=True, slots=True)
class InForce:
    """The pack in force beside the versions there were, the newest first; empty where it was never laid down as a version."""

    pack: Pack
    sha256: str
    founded_at: int
    versions: list[PackFact]
    waits: PackProposal | None

    @property
    def looked_at(self) -> int:
        """When people last looked at it: its newest version, else the founding."""
        return self.versions[0].approved_at if self.versions else self.founded_at


@dataclass(frozen=True, slots=True)
class Weighed:
    """A proposal with all it would do: `tally` counts the standing consents it touches at the moment `at`."""

    proposal: PackProposal
    old: Pack
    sha256: str
    plan: Plan
    changes: list[PurposeChange]
    tally: Tally
    at: int


@dataclass(frozen=True, slots=True)
class PackChanges:
    """The deeds about the pack of an association."""

    factor: SecondFactor

    async def in_force(self, caller: Caller) -> InForce:
        """The pack in force and its versions. Raises Unavailable `integrity`."""

        def unit(deed: Deed) -> InForce:
            asker = still(deed, caller)
            book = asker.association.books.at(deed)
            own = book.association
            known = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, PACK)
            waits = facts.read(deed, PROPOSAL, _KEY)
            versions = [known[key] for key in sorted(known, reverse=True)]
            return InForce(book.pack, digest_of(book), own.founded_at, versions, waits if waits and waits.state == "proposed" else None)

        return await heard(Errand(caller, ""), lambda: caller.association.run(unit))

    async def propose(self, caller: Caller, words: Source) -> Weighed:
        """Propose a pack, in the place of what waits, and weigh what it would do.

        Raises Invalid `pack-refused` with the place that does not hold, Conflict `pack-version-taken` for other words under one version.
        """

        def unit(deed: Deed) -> PackProposal:
            asker = still(deed, caller)
            book = asker.association.books.at(deed)
            pack = _sound(words.own, book)
            _require_fresh(deed, pack, words.sha256)
            planned = _plan(deed, book, pack)
            new = PackProposal(
                id=os.urandom(16).hex(),
                name=pack.name,
                version=pack.version,
                sha256=words.sha256,
                own=words.own,
                below=words.below,
                proposed_by=asker.ref,
                proposed_at=deed.now,
                changes_sha256=_digest(planned),
            )
            deed.append(_entry("pack.proposed", asker, (facts.write(deed, PROPOSAL, _KEY, new),)))
            return new

        proposal = await heard(Errand(caller, ""), lambda: caller.association.run(unit))
        return await self._weighed(caller, proposal)

    async def waiting(self, caller: Caller) -> Weighed:
        """What waits, weighed anew. Raises NotFound, Conflict where it is settled."""
        return await self._weighed(caller, await caller.association.run(lambda deed: _waits(deed, still(deed, caller))))

    async def affected(self, caller: Caller, request: str, wanted: Wanted) -> tuple[list[Affected], bytes | None]:
        """A page of the records whose standing consents the proposal touches, as an entry. Raises NotFound, Conflict, `integrity`."""
        errand = Errand(caller, request)

        def unit(deed: Deed) -> tuple[list[Affected], bytes | None]:
            asker = still(deed, caller)
            proposal = _waits(deed, asker)
            book = asker.association.books.at(deed)
            weighing = Weighing.of(book, _plan(deed, book, packs.kept(proposal.words)), deed.now)
            return pack_effects.page(deed, replace(errand, asker=asker), weighing, wanted)

        return await heard(errand, lambda: caller.association.run(unit))

    async def withdraw(self, caller: Caller) -> None:
        """Take back what waits. Raises NotFound, Conflict where it is settled."""

        def unit(deed: Deed) -> None:
            asker = still(deed, caller)
            gone = msgspec.structs.replace(_waits(deed, asker), state="withdrawn", settled_by=asker.ref, settled_at=deed.now)
            deed.append(_entry("pack.proposal-withdrawn", asker, (facts.write(deed, PROPOSAL, _KEY, gone),)))

        await caller.association.run(unit)

    async def turn_down(self, caller: Caller, proposal: bytes) -> None:
        """Turn down what waits, which must be this: the pack in force stays. Raises NotFound, Conflict where it is settled or another."""

        def unit(deed: Deed) -> None:
            asker = still(deed, caller)
            waits = _waits(deed, asker)
            if waits.id != proposal.hex():
                raise Conflict
            gone = msgspec.structs.replace(waits, state="withdrawn", settled_by=asker.ref, settled_at=deed.now)
            deed.append(_entry("pack.proposal-turned-down", asker, (facts.write(deed, PROPOSAL, _KEY, gone),)))

        await heard(Errand(caller, ""), lambda: caller.association.run(unit))

    async def approve(self, caller: Caller, proposal: bytes, one_time_code: str | None) -> PackFact:
        """Approve what another person proposed: the pack is in force from this answer on, in every process.

        Raises NotFound, Conflict for another proposal than waits, `pack-proposal-moved` where it would change other things by now, Invalid
        `pack-refused` where it does not hold by now, refusals `same-person` and `step-up-required`, TooMany.
        """

        def unit(deed: Deed) -> PackFact:
            return self.approve_in(deed, caller, proposal, one_time_code)

        done = await heard(Errand(caller, ""), lambda: caller.association.run(unit, weight=8))
        await caller.association.refresh()
        return done

    def approve_in(self, deed: Deed, caller: Caller, proposal: bytes, one_time_code: str | None) -> PackFact:
        """The same inside a deed of whoever calls."""
        caller = still(deed, caller)
        book = caller.association.books.at(deed)
        waits = _waits(deed, caller)
        if waits.id != proposal.hex():
            raise Conflict
        require_two(book, waits.proposed_by, caller, APPROVED)
        pack = _sound(waits.own, book)
        planned = _plan(deed, book, pack)
        if packs.source(waits.own) != waits.words or _digest(planned) != waits.changes_sha256:
            raise Conflict(MOVED)
        approval = self.factor.approve(deed, caller, one_time_code, kind=APPROVED)
        newest = _version(book, waits, caller.ref, deed.now)
        own = msgspec.structs.replace(
            book.association, pack=pack.name, pack_number=newest.number, pack_version=newest.version, pack_sha256=newest.sha256
        )
        settled = msgspec.structs.replace(waits, state="approved", settled_by=caller.ref, settled_at=deed.now)
        written = [
            *approval.facts,
            facts.write(deed, ASSOCIATION, own.code, own),
            facts.write(deed, PACK, key_of(newest.number), newest),
            facts.write(deed, PROPOSAL, _KEY, settled),
        ]
        told = Entry(kind=APPROVED, outcome="allow", actor=caller.ref, article=f"{pack.name}:7", facts=tuple(written), flags=approval.flags)
        deed.append(told, changes_law=True)
        _lay_down(deed, book, caller, planned, newest.number)
        return newest

    async def _weighed(self, caller: Caller, proposal: PackProposal) -> Weighed:
        def unit(deed: Deed) -> tuple[Book, Plan, int]:
            book = still(deed, caller).association.books.at(deed)
            return book, _plan(deed, book, packs.kept(proposal.words)), deed.now

        book, planned, now = await caller.association.run(unit)
        told = await heard(Errand(caller, ""), lambda: pack_effects.tally(caller, Weighing.of(book, planned, now)))
        total = sum(told.total(effect) for effect in pack_effects.EFFECTS)
        await caller.association.run(lambda deed: deed.append(_entry("pack.weighed", still(deed, caller), (), count=total)))
        return Weighed(proposal, book.pack, digest_of(book), planned, pack_plan.changes(book, planned), told, now)


def digest_of(book: Book) -> str:
    """SHA-256 over the words of the pack in force."""
    return book.association.pack_sha256 or packs.shipped(book.association.pack).sha256


def shipped(name: str) -> Source:
    """The words of a pack that ships with this release. Raises Invalid for a name of none."""
    try:
        return packs.shipped(name)
    except PackRefused:
        raise Invalid([FieldError("pack", "out-of-range")]) from None


def written(text: str) -> Source:
    """The words of somebody's own pack, over the pack below as it ships. Raises Invalid `pack-refused` with the place."""
    try:
        return packs.source(text)
    except PackRefused as error:
        raise _refusal(error) from None


def _refusal(error: PackRefused) -> Invalid:
    return Invalid([FieldError(error.path or "text", error.code)], REFUSED)


def _sound(text: str, book: Book) -> Pack:
    """The pack of these words, held against the floor of this release. Raises Invalid `pack-refused`."""
    try:
        pack = packs.lint(text)
    except PackRefused as error:
        raise _refusal(error) from None
    if pack.kind != "association":
        raise Invalid([FieldError("kind", "out-of-range")], REFUSED)
    if pack.law != book.association.law_pack:
        raise Invalid([FieldError("law", "out-of-range")], REFUSED)
    return pack


def _require_fresh(deed: Deed, pack: Pack, digest: str) -> None:
    """Refuse other words under a name and version that are known: a verdict cites them, and is explained by one text only."""
    known = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, PACK).values()
    laid = {one.sha256 for one in known if (one.name, one.version) == (pack.name, pack.version)}
    if pack.name in packs.names() and packs.load(pack.name).version == pack.version:
        laid.add(packs.shipped(pack.name).sha256)
    if laid and digest not in laid:
        raise Conflict(TAKEN)


def _plan(deed: Deed, book: Book, pack: Pack) -> Plan:
    place = tables.record.c
    stored = deed.transaction.connection.execute(select(place.type).where(place.association_id == deed.association).distinct()).scalars()
    return pack_plan.plan(book, pack, _own_words(deed, book), frozenset(stored), deed.now)


def _own_words(deed: Deed, book: Book) -> dict[str, PurposeFact]:
    """The purposes that two people here laid down last; where another wording waits, the one that stands is taken for theirs."""
    found = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, PURPOSE_PROPOSAL)
    return {
        code: each.purpose if each.state == "approved" else book.purposes[code] for code, each in found.items() if code in book.purposes
    }


def _digest(planned: Plan) -> str:
    """A hash over what a plan writes, without the notices' random ids."""
    laid = [sorted(planned.purposes.items()), sorted(planned.types.items()), planned.kept_types]
    return sha256(msgspec.json.encode(laid)).hexdigest()


def _version(book: Book, waits: PackProposal, by: str, now: int) -> PackFact:
    return PackFact(
        number=book.association.pack_number + 1,
        name=waits.name,
        version=waits.version,
        sha256=waits.sha256,
        own=waits.own,
        below=waits.below,
        proposed_by=waits.proposed_by,
        proposed_at=waits.proposed_at,
        approved_by=by,
        approved_at=now,
        reviewed=waits.sha256 == digest_of(book),
    )


def _lay_down(deed: Deed, book: Book, caller: Caller, planned: Plan, number: int) -> None:
    """Write what changes: what is narrower an entry and a line of the journal each, all else an entry for each kind."""
    wider: list[WrittenFact] = []
    for code, fact in planned.purposes.items():
        old, laid = book.purposes.get(code), facts.write(deed, PURPOSE, code, fact)
        if old is None or not pack_plan.is_narrower(old, fact):
            wider.append(laid)
            continue
        told = replace(_entry("pack.purpose-narrowed", caller, (laid,)), purpose=code)
        deed.append(told, changes_law=True, closes=Closing(JOURNAL, code, str(number)))
    types = [facts.write(deed, RECORD_TYPE, name, fact) for name, fact in planned.types.items()]
    notices = [facts.write(deed, NOTICE, notice_key(each.id, each.version), each) for each in planned.notices]
    for kind, some in (("purpose.laid-down", wider), ("record-type.laid-down", types), ("notice.published", notices)):
        if some:
            deed.append(_entry(kind, caller, tuple(some)), changes_law=True)


def _waits(deed: Deed, _caller: Caller) -> PackProposal:
    found = facts.read(deed, PROPOSAL, _KEY)
    if found is None:
        raise NotFound
    if found.state != "proposed":
        raise Conflict
    return found


def _entry(kind: str, caller: Caller, written_: tuple[WrittenFact, ...], *, count: int | None = None) -> Entry:
    return Entry(kind=kind, outcome="allow", actor=caller.ref, facts=written_, count=count, flags=caller.flags)
