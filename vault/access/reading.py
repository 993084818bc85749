"""Reads records: many in one transaction, each with its own verdict and entry, opened only after the commit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from keys.container import Sealed
from vault.access import orders
from vault.access.door import give_out, take_sealed
from vault.access.verdicts import Asked, Judged, judge
from vault.access_log.deed import Deed, EntryRefusal
from vault.errors import NotFound, VaultError
from vault.policy.facts import Order
from vault.rulebook.asker import Asker, Errand
from vault.subjects import people
from vault.subjects.people import Known

Naming = Callable[[Deed, Errand, Asked], Sequence[Order]]


@dataclass(frozen=True, slots=True)
class Read:
    """One read asked for: by whom, in which request, and what."""

    errand: Errand
    asked: Asked


@dataclass(frozen=True, slots=True)
class Given:
    """One read answered: the verdict it rests on and the values by field name."""

    judged: Judged
    values: dict[str, Any]


@dataclass(slots=True)
class _Decided:
    judged: Judged | None = None
    sealed: Sequence[Sealed] = ()
    failed: VaultError | None = None


def _no_orders(_deed: Deed, _errand: Errand, _asked: Asked) -> Sequence[Order]:
    """A read rests on no order: what an order opens leaves as a package."""
    return ()


class Reads:
    """The set of reads of one transaction: facts of all in one statement, entries in one insert, cells after the commit."""

    def decide(self, deed: Deed, arguments: Sequence[Read]) -> list[_Decided]:
        """Decide every read and append its entry; what cannot be decided is answered with its error."""
        known = people.of_records(deed, [read.asked.record for read in arguments])
        decided = [self._one(deed, read, known[read.asked.record]) for read in arguments]
        allowed = [one for one in decided if one.judged is not None and one.judged.verdict.allowed]
        if allowed:
            book = arguments[0].errand.book(deed)
            sealed = take_sealed(deed, book, [one.judged for one in allowed if one.judged is not None])
            for number, one in enumerate(allowed):
                one.sealed = sealed[number]
        return decided

    def ask(self, deed: Deed, arguments: Sequence[Read]) -> list[Judged | VaultError]:
        """Decide every question and append its entry, and give nothing out."""
        known = people.of_records(deed, [read.asked.record for read in arguments])
        decided = [self._one(deed, read, known[read.asked.record], orders.naming) for read in arguments]
        return [one.judged or one.failed or NotFound() for one in decided]

    def release(self, decided: Sequence[_Decided]) -> list[Given | VaultError]:
        """Open what was allowed; runs after the commit."""
        return [self._answer(one) for one in decided]

    @staticmethod
    def _one(deed: Deed, read: Read, known: Known | Exception, naming: Naming = _no_orders) -> _Decided:
        try:
            errand = read.errand.still(deed)
            if not isinstance(known, Known):
                return _Decided(failed=cast(VaultError, known))  # NotFound or Unavailable: `of_records` gives no other
            return _Decided(judge(deed, errand, read.asked, known, naming(deed, errand, read.asked)))
        except VaultError as error:
            if isinstance(error, EntryRefusal):
                deed.refused(error)
            return _Decided(failed=error)

    @staticmethod
    def _answer(one: _Decided) -> Given | VaultError:
        if one.judged is None:
            return one.failed or NotFound()
        if not one.judged.verdict.allowed:
            return one.judged.refusal()
        try:
            return Given(one.judged, give_out(one.judged, one.sealed))
        except VaultError as error:
            return error


READS = Reads()


async def read(errand: Errand, asked: Asked) -> Given:
    """Read fields of one record. Raises Refused with its entry, NotFound, Unavailable."""
    given: Given = await errand.asker.association.log.run_in(READS, Read(errand, asked))
    return given


async def read_many(asker: Asker, reads: Sequence[Read]) -> list[Given | VaultError]:
    """Read many records in one transaction; one answer for each, in order."""
    decided: list[_Decided] = await asker.association.run(lambda deed: READS.decide(deed, reads), weight=len(reads))
    # `run` answers after the commit, so the receipts may be given out.
    return await asyncio.to_thread(READS.release, decided)


async def ask_many(asker: Asker, reads: Sequence[Read]) -> list[Judged | VaultError]:
    """Decide many questions in one transaction and give no value; one answer for each, in order."""
    return await asker.association.run(lambda deed: READS.ask(deed, reads), weight=len(reads))
