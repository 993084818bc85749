"""The door opens for the receipt of a committed entry that allows, once, and for what that entry names."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from keys.container import open_cells
from keys.errors import Unopenable
from tests.household import errand, grant, store, withdraw
from tests.simulator import World
from vault.access import reading
from vault.access.door import give_out, take_sealed
from vault.access.verdicts import Asked, Judged, judge
from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry
from vault.errors import Unavailable
from vault.records.tables import container
from vault.rulebook.asker import Errand
from vault.storage.transaction import Transaction
from vault.subjects import people

pytestmark = pytest.mark.asyncio(loop_scope="function")
FIELDS = ("full_name", "mobile")


@contextmanager
def deed_of(world: World) -> Iterator[Deed]:
    """A deed in this thread that is committed at the end of the block, without telling it so."""
    with world.database.connect() as connection, connection.begin():
        yield world.association.log.begin(Transaction(connection, world.clock.now))


def judged(deed: Deed, job: Errand, record: bytes, fields: tuple[str, ...] = FIELDS, *, kind: str = "record.read") -> Judged:
    return judge(deed, job, Asked(record, None, "service_delivery", fields, kind=kind), people.of_record(deed, record))


async def consenting(world: World) -> bytes:
    kept = await store(world)
    world.clock.forward(60)
    await grant(world, kept.record)
    return kept.record


async def test_nothing_opens_before_the_commit_and_once_after_it(small: World):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        verdict = judged(deed, job, record)
        sealed = take_sealed(deed, job.book(deed), [verdict])[0]
        with pytest.raises(Unavailable) as refused:
            give_out(verdict, sealed)
        assert refused.value.code == "log-unavailable"
        deed.close()
    with pytest.raises(Unavailable):
        give_out(verdict, sealed)  # the deed was not told of its commit
    deed.commit_seen()
    assert give_out(verdict, sealed)["mobile"] == "+966551234567"
    with pytest.raises(Unavailable) as again:
        give_out(verdict, sealed)
    assert again.value.code == "integrity"
    assert "opens" not in repr(verdict.appended)


async def test_of_many_threads_at_one_entry_one_gets_the_value(small: World):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        verdict = judged(deed, job, record)
        sealed = take_sealed(deed, job.book(deed), [verdict])[0]
        deed.close()
    deed.commit_seen()

    def attempt(_: int) -> bool:
        try:
            return bool(give_out(verdict, sealed))
        except Unavailable:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(64))) == 1


async def test_a_decision_a_refusal_and_an_undone_entry_open_nothing(small: World):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        question = judged(deed, job, record, kind="decision")
        no = judged(deed, job, record, ("iban",))
        mark = deed.mark()
        undone = judged(deed, job, record)
        sealed = take_sealed(deed, job.book(deed), [undone])[0]
        deed.rewind(mark)
        deed.close()
    deed.commit_seen()
    assert (question.verdict.allowed, no.verdict.allowed, undone.verdict.allowed) == (True, False, True)
    for verdict in (question, no, undone):
        with pytest.raises(Unavailable) as refused:
            give_out(verdict, sealed)
        assert refused.value.code == "integrity"


@pytest.mark.parametrize("fields", [("full_name",), ("full_name", "mobile", "national_id"), ("full_name", "iban"), ()])
async def test_an_entry_opens_its_own_fields_whatever_else_is_brought(small: World, fields: tuple[str, ...]):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        verdict = judged(deed, job, record)
        other = replace(verdict, asked=replace(verdict.asked, fields=fields))
        sealed = take_sealed(deed, job.book(deed), [other])[0]
        deed.close()
    deed.commit_seen()
    with pytest.raises(Unavailable):
        give_out(other, sealed)


async def test_an_entry_opens_its_own_record_and_revision_alone(small: World):
    record, job = await consenting(small), await errand(small)
    second = await consenting(small)
    with deed_of(small) as deed:
        mine, theirs, later = (judged(deed, job, whose) for whose in (record, second, record))
        book = job.book(deed)
        sealed = take_sealed(deed, book, [mine, theirs])
        newer = replace(later, state=replace(later.state, revision=2))
        ahead = take_sealed(deed, book, [newer])[0]
        deed.close()
    deed.commit_seen()
    for verdict, brought in ((mine, sealed[1]), (newer, ahead)):
        with pytest.raises(Unavailable) as refused:
            give_out(verdict, brought)
        assert refused.value.code == "integrity"
        assert refused.value.__cause__ is None
    assert give_out(theirs, sealed[1])["mobile"] == "+966551234567"


async def test_a_used_receipt_and_a_copied_one_open_nothing(small: World):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        verdict = judged(deed, job, record)
        sealed = take_sealed(deed, job.book(deed), [verdict])[0]
        deed.close()
    deed.commit_seen()
    receipt = deed.receipt(verdict.appended)
    assert (receipt.index, receipt.record, receipt.fields, receipt.revision) == (deed.size - 1, record, frozenset(FIELDS), 1)
    assert open_cells(receipt, deed.cabinet.keys, sealed)
    with pytest.raises(Unopenable):
        open_cells(receipt, deed.cabinet.keys, sealed)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "refuse"},
        {"outcome": "error"},
        {"kind": "decision"},
        {"fields": ()},
        {"purpose": None},
        {"basis": "none"},
        {"basis": None},
        {"basis": ""},
        {"about": ()},
        {"about": (About(bytes(16)),)},
        {"about": (About(bytes(16), bytes(16)), About(bytes(16), bytes(16)))},
        {"about": (About(bytes(16), bytes(16)), About(bytes(16)))},
        {"about": (About(bytes(16), bytes(16)), About(b"\1" * 16))},
        {"about": (About(bytes(16), bytes(16)), About(b"\1" * 16, b"\2" * 16))},
    ],
)
async def test_no_entry_opens_that_does_not_say_record_fields_purpose_and_basis(small: World, changes: dict[str, Any]):
    whole: dict[str, Any] = {
        "kind": "record.read",
        "outcome": "allow",
        "actor": "client:0",
        "about": (About(bytes(16), bytes(16)),),
        "fields": ("mobile",),
        "purpose": "service_delivery",
        "basis": "law",
    }
    with deed_of(small) as deed:
        assert deed.append(Entry(**whole), revision=1).opens[0].fields == {"mobile"}
        case = About(b"\3" * 16, b"\3" * 16)
        assert deed.append(Entry(**whole | {"about": (*whole["about"], case)}), revision=1).opens[0].record == bytes(16)
        size = deed.size
        with pytest.raises(ValueError, match=changes.get("kind", "record.read")):
            deed.append(Entry(**whole | changes), revision=1)
        assert deed.size == size


async def test_nobody_is_judged_whose_sheet_is_not_there(small: World):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        nobody = replace(people.of_record(deed, record), sheet=None)
        with pytest.raises(ValueError, match=r"record\.read"):
            judge(deed, job, Asked(record, None, "service_delivery", FIELDS), nobody)


async def test_no_place_is_looked_for_where_nothing_was_allowed(small: World):
    kept, job = await store(small), await errand(small)
    with deed_of(small) as deed:
        assert take_sealed(deed, job.book(deed), []) == {}
        decided = reading.READS.decide(deed, [reading.Read(job, Asked(kept.record, None, "service_delivery", FIELDS))])
        assert decided[0].sealed == ()
        deed.close()
    deed.commit_seen()


async def test_a_read_in_one_transaction_with_a_withdrawal_stands_behind_it(small: World):
    kept, job = await store(small), await errand(small)
    small.clock.forward(60)
    given = await grant(small, kept.record)
    await withdraw(small, given.id)
    with deed_of(small) as deed:
        assert judged(deed, job, kept.record).verdict.reason == "CONSENT_WITHDRAWN"


async def test_what_lacks_of_a_record_leaves_its_other_classes_alone_and_fails_at_the_door(small: World):
    record, job = await consenting(small), await errand(small)
    with deed_of(small) as deed:
        whole, less, gone = (judged(deed, job, record) for _ in range(3))
        book = job.book(deed)
        first, second = [one.place.class_id for one in take_sealed(deed, book, [whole])[0]]
        # The sheet names no salt for the first class any more; and of another record there is no row at all.
        state = replace(less.state, salts={key: salt for key, salt in less.state.salts.items() if key != str(first)})
        nowhere = replace(gone, asked=replace(gone.asked, record=bytes(16)))
        taken = take_sealed(deed, book, [whole, replace(less, state=state), nowhere])
        assert [[one.place.class_id for one in sealed] for sealed in taken.values()] == [[first, second], [second], []]
        # A row taken out, the salt still named.
        deed.transaction.connection.execute(container.delete().where(container.c.record == record, container.c.class_id == first))
        assert [one.place.class_id for one in take_sealed(deed, book, [whole])[0]] == [second]
        deed.close()
    deed.commit_seen()
    for verdict, sealed in ((less, taken[1]), (gone, taken[2])):
        with pytest.raises(Unavailable) as refused:
            give_out(verdict, sealed)
        assert refused.value.code == "integrity"
    assert give_out(whole, taken[0])["mobile"] == "+966551234567"
