"""The rulebook: what the pack says word for word, read again as soon as the law moved, and never an older truth."""

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tests.household import errand, findings, grant, lay_down, partner, read, store
from tests.journeys.traces import Canaries, found_in, left_in_files, left_in_postgres
from tests.simulator import World
from vault.errors import Refused, Unauthenticated, Unavailable
from vault.identity.packs import purpose_facts
from vault.policy.facts import Purpose
from vault.policy.pack import load, names, together
from vault.rulebook import facts
from vault.rulebook.book import notice_key, purpose_of
from vault.rulebook.shapes import CLIENT, NOTICE, PURPOSE, RECIPIENT, STAFF, StepFact
from vault.rulebook.shapes import STEP as ONE_TIME_STEP
from vault.rulebook.tables import fact as rows
from vault.rulebook.two_people import same_person

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest.mark.parametrize("name", [name for name in names() if load(name).kind == "association"])
async def test_a_purpose_in_the_book_is_the_packs_in_every_member(name: str):
    laid_down = together(load(name))
    assert {fact.code: purpose_of(fact) for fact in purpose_facts(load(name))} == laid_down
    assert {one.name for one in dataclasses.fields(Purpose)} <= {one.name for one in msgspec.structs.fields(PURPOSE.shape)}


async def test_intake_ends_after_a_day_and_is_of_who_stored_the_record(vault: World):
    kept = await store(vault)
    assert (await read(vault, kept.record, "intake", ("mobile",))) == {"mobile": "+966551234567"}
    vault.clock.forward(24 * 3600)
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record, "intake", ("mobile",))
    assert refused.value.code == "out-of-scope"


async def test_a_book_is_read_again_only_when_the_law_moved(vault: World):
    first = await vault.association.refresh()
    await store(vault)
    assert await vault.association.refresh() is first
    await partner(vault)
    second = await vault.association.refresh()
    assert second.law > first.law
    assert second.recipients.keys() == {"partner"}
    assert await vault.association.book() is second


async def test_a_book_read_inside_the_deed_that_changes_the_law_is_not_kept(vault: World):
    job = await errand(vault)
    before = await vault.association.refresh()

    def unit(deed: Any) -> None:
        laid = msgspec.structs.replace(before.purposes["sms_offers"], title={"ar": "x"})
        told = job.entry(kind="test", outcome="allow", facts=(facts.write(deed, PURPOSE, "sms_offers", laid),))
        deed.append(told, changes_law=True)
        assert vault.association.books.at(deed).purposes["sms_offers"].title == {"ar": "x"}
        raise Unauthenticated

    with pytest.raises(Unauthenticated):
        await vault.association.run(unit)
    # The next change of the law gets the number that the one rolled back had: its book must not be taken for this one's.
    await partner(vault)
    after = await vault.association.refresh()
    assert (set(after.recipients), after.purposes["sms_offers"]) == ({"partner"}, before.purposes["sms_offers"])


async def test_what_another_process_lays_down_is_in_force_here_at_the_next_deed(vault: World):
    kept = await store(vault)
    await partner(vault)
    await vault.association.refresh()
    other = vault.reopen()
    try:
        job = await errand(vault)
        revoked = msgspec.structs.replace((await other.refresh()).recipients["partner"], revoked_at=vault.clock.now)

        def unit(deed: Any) -> None:
            told = job.entry(kind="recipient.revoked", outcome="allow", facts=(facts.write(deed, RECIPIENT, "partner", revoked),))
            deed.append(told, changes_law=True)

        await other.run(unit)
        with pytest.raises(Refused) as refused:
            await read(vault, kept.record, "partner_sharing", recipient="partner")
        assert refused.value.code == "unknown-recipient"
    finally:
        other.log.close()


async def test_a_client_another_process_revoked_is_nobody_at_the_next_deed(vault: World):
    kept, caller = await store(vault), await vault.system()
    await grant(vault, kept.record)
    await read(vault, kept.record)
    key, client = next(iter((await vault.association.refresh()).clients.items()))
    other = vault.reopen()
    try:
        job = await errand(vault)
        revoked = msgspec.structs.replace(client, revoked_at=vault.clock.now)
        fact = CLIENT
        await other.run(
            lambda deed: deed.append(
                job.entry(kind="client.revoked", outcome="allow", facts=(facts.write(deed, fact, key, revoked),)), changes_law=True
            )
        )
    finally:
        other.log.close()
    with pytest.raises(Unauthenticated):
        await vault.association.run(caller.still)


def _revoked_client(book: Any) -> tuple[Any, str, Any]:
    key, client = next(iter(book.clients.items()))
    return CLIENT, key, msgspec.structs.replace(client, scopes=("records:list",))


def _narrower_purpose(book: Any) -> tuple[Any, str, Any]:
    return PURPOSE, "service_delivery", msgspec.structs.replace(book.purposes["service_delivery"], forms=("written",))


def _ended_staff(book: Any) -> tuple[Any, str, Any]:
    key, member = next(iter(book.staff.items()))
    return STAFF, key, msgspec.structs.replace(member, active=False)


@pytest.mark.parametrize("change", [_revoked_client, _narrower_purpose, _ended_staff])
async def test_a_row_put_back_as_it_was_before_is_an_integrity_failure(vault: World, change: Callable[[Any], tuple[Any, str, Any]]):
    kind, key, value = change(await vault.association.refresh())
    with vault.database.connect() as connection:
        old = connection.execute(select(rows).where(rows.c.kind == kind.name, rows.c.key == key)).one()
    await lay_down(vault, kind, key, value)
    with vault.database.connect() as connection, connection.begin():
        connection.execute(rows.update().where(rows.c.kind == kind.name, rows.c.key == key).values(version=old.version, sealed=old.sealed))
    other = vault.reopen()
    try:
        with pytest.raises(Unavailable) as refused:
            await other.book()
        assert refused.value.code == "integrity"
    finally:
        other.log.close()
    assert findings(vault) == [f"rulebook_fact {kind.name} {key}: not what the log's newest entry about it says"]


async def test_a_fact_sealed_for_another_place_does_not_open_even_where_the_log_names_it(small: World):
    job = await errand(small)

    def unit(deed: Any) -> None:
        first = facts.write(deed, ONE_TIME_STEP, "a", StepFact(step=1))
        deed.append(job.entry(kind="test", outcome="allow", facts=(first, dataclasses.replace(first, key="b"))))
        sealed = deed.transaction.connection.execute(select(rows.c.sealed).where(rows.c.key == "a")).scalar_one()
        place = {"association_id": deed.association, "kind": ONE_TIME_STEP.name, "key": "b", "version": 1, "sealed": sealed}
        deed.transaction.connection.execute(rows.insert().values(place))
        assert facts.read(deed, ONE_TIME_STEP, "a") == StepFact(step=1)
        with pytest.raises(Unavailable):
            facts.read(deed, ONE_TIME_STEP, "b")

    await small.association.run(unit)
    assert findings(small) == [f"rulebook_fact {ONE_TIME_STEP.name} b: does not open"]


@pytest.mark.parametrize("column", ["sealed", "kind", "key"])
async def test_a_text_that_is_no_utf_8_blinds_nobody_who_examines(small: World, column: str):
    with small.database.connect() as connection, connection.begin():
        connection.exec_driver_sql(f"UPDATE rulebook_fact SET {column} = CAST(x'ff41' AS TEXT) WHERE kind = 'association'")  # noqa: S608 - names of columns
    assert any("rulebook_fact" in line for line in findings(small))


async def test_a_fact_of_nobody_is_none_and_versions_count_up(small: World):
    job = await errand(small)

    def unit(deed: Any) -> None:
        assert facts.read(deed, ONE_TIME_STEP, "a") is None
        assert facts.version(deed, ONE_TIME_STEP, "a") == 0
        for step in (1, 2, 3):
            fact = facts.write(deed, ONE_TIME_STEP, "a", StepFact(step=step))
            assert fact.version == step
            deed.append(job.entry(kind="test", outcome="allow", facts=(fact,)))
            assert facts.read(deed, ONE_TIME_STEP, "a") == StepFact(step=step)

    await small.association.run(unit)


async def test_the_newest_published_notice_is_the_one_in_force(small: World):
    book = await small.association.refresh()
    first = book.current_notice("sms_offers")
    assert first is not None
    draft = msgspec.structs.replace(first, version=2, state="draft", published_at=None)
    await lay_down(small, NOTICE, notice_key(first.id, 2), draft)
    assert (await small.association.refresh()).current_notice("sms_offers") == first
    published = msgspec.structs.replace(draft, state="published", published_at=small.clock.now, material=True)
    await lay_down(small, NOTICE, notice_key(first.id, 2), published)
    book = await small.association.refresh()
    assert book.current_notice("sms_offers") == published
    (news,) = book.rules["beneficiary"].superseded[notice_key(first.id, 1)]
    assert (news.by, news.material) == (notice_key(first.id, 2), True)
    assert book.current_notice("legal_order") is None


async def test_a_material_change_of_the_notice_ends_what_was_agreed_to(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    await read(vault, kept.record)
    notice = (await vault.association.refresh()).current_notice("service_delivery")
    assert notice is not None
    vault.clock.forward(60)
    newer = msgspec.structs.replace(notice, version=2, published_at=vault.clock.now, material=True)
    await lay_down(vault, NOTICE, notice_key(notice.id, 2), newer)
    with pytest.raises(Refused) as refused:
        await read(vault, kept.record)
    assert refused.value.code == "notice-superseded"
    vault.clock.forward(1)
    await grant(vault, kept.record)
    await read(vault, kept.record)


async def test_who_made_an_account_and_whose_it_is_are_one(small: World):
    book = await small.association.refresh()
    one, other, third = (f"staff:{key}" for key in book.staff)
    assert same_person(book, one, one)
    assert not same_person(book, one, other)
    assert not same_person(book, one, "client:00")
    made = msgspec.structs.replace(book.staff[other.removeprefix("staff:")], made_by=one)
    await lay_down(small, STAFF, other.removeprefix("staff:"), made)
    book = await small.association.refresh()
    assert same_person(book, one, other)
    assert same_person(book, other, one)
    assert not same_person(book, other, third)


async def test_a_question_beside_the_queue_writes_nothing_and_fails_by_name(vault: World):
    assert await vault.association.look(lambda transaction: transaction.connection.execute(select(rows.c.kind)).first()) is not None
    with pytest.raises(Unavailable) as refused:
        await vault.association.look(lambda transaction: transaction.connection.exec_driver_sql("SELECT * FROM nothing"))
    assert refused.value.code == "log-unavailable"


async def test_a_visitors_record_is_used_by_electronic_consent_and_no_other(small: World):
    book = await small.association.refresh()
    theirs, others = book.rules["visitor"].purposes, book.rules["beneficiary"].purposes
    assert {code: set(theirs[code].forms) for code in ("service_delivery", "visitor_analytics", "sms_offers")} == {
        code: {"electronic"} for code in ("service_delivery", "visitor_analytics", "sms_offers")
    }
    assert others["service_delivery"].forms == {"written", "electronic"}
    assert theirs["partner_sharing"] == others["partner_sharing"]
    assert theirs["publication"] == others["publication"]


async def test_who_approved_a_notice_lies_nowhere_in_the_clear(vault: World, database_url: str):
    notice = (await vault.association.refresh()).current_notice("service_delivery")
    assert notice is not None
    canaries = Canaries(random.Random("a notice"))
    named = msgspec.structs.replace(notice, version=2, approved_by=canaries.text(), approved_on=canaries.ascii())
    await lay_down(vault, NOTICE, notice_key(notice.id, 2), named)
    kept = (await vault.association.refresh()).notices[notice_key(notice.id, 2)]
    assert kept.approved_by == named.approved_by
    left = dict(left_in_files(vault.folder.parent))
    if not vault.database.is_sqlite:
        left |= dict(left_in_postgres(database_url))
    assert sum(map(len, left.values())) > 10_000
    for place, content in left.items():
        assert found_in(content, canaries.traces()) == [], place
