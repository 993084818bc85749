"""A number somebody withdrew from being contacted at is contacted through nobody's record: by a keyed token, and never the number."""

from functools import partial

import msgspec
import pytest
from sqlalchemy import select, update

from keys.blobs import open_blob
from tests.household import FATIMA, asked, errand, findings, grant, lay_down, read, refuse, store, withdraw
from tests.roof.test_reclosing import orphan
from tests.simulator import World
from vault.access import asking, searching
from vault.access.searching import Sought
from vault.access.silences import SILENCES, again
from vault.access.verdicts import Asked
from vault.access_log import tables as log_tables
from vault.access_log.closed import ended_consent
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Refused, Unavailable, VaultError
from vault.policy.facts import key
from vault.reclosing import reclose
from vault.records import service as records
from vault.records.tables import container
from vault.rulebook import facts
from vault.rulebook.shapes import PURPOSE
from vault.rulebook.tables import fact
from vault.storage.journal import Closing
from vault.subjects import people

pytestmark = pytest.mark.asyncio(loop_scope="function")
MOBILE = ("mobile",)
SHARED = "0551234567"


async def somebody(world: World, mobile: str = SHARED) -> tuple[bytes, bytes]:
    """Somebody who can be reached at this number and agreed to offers: her record and her consent."""
    kept = await store(world, {**FATIMA, "mobile": mobile})
    given = await grant(world, kept.record, await asked(world, "sms_offers", fields=frozenset(MOBILE)))
    return kept.record, given.id


async def refusal(world: World, record: bytes, purpose: str = "sms_offers", fields: tuple[str, ...] = MOBILE) -> str:
    """Why nothing is read for a purpose of contact, "" where it is."""
    try:
        await read(world, record, purpose, fields)
    except Refused as refused:
        return refused.code
    return ""


async def narrow(world: World, purpose: str, **changes: str) -> None:
    """Lay a purpose down with these members."""
    book = await world.association.refresh()
    await lay_down(world, PURPOSE, purpose, msgspec.structs.replace(book.purposes[purpose], **changes))


async def joined(world: World, one: bytes, other: bytes) -> None:
    """Two people made one, as an approved merge does."""
    told = Entry(kind="merge.approved", outcome="allow", actor="system")

    def join(deed: Deed) -> None:
        both = people.of_subject(deed, one), people.of_subject(deed, other)
        people.join(deed, *both, told, by="system", closes=Closing("merge", one.hex(), other.hex()))

    await world.association.run(join)


def again_of(purpose: str, words: str, deed: Deed) -> object:
    return again(deed, purpose, words)


async def test_a_withdrawn_number_is_not_contacted_through_a_mothers_or_a_siblings_record(vault: World):
    father, agreed = await somebody(vault)
    mother, _ = await somebody(vault, "+966 55 123 4567")
    stranger, _ = await somebody(vault, "0557654321")
    vault.clock.forward(1)
    assert [await refusal(vault, one) for one in (father, mother, stranger)] == ["", "", ""]
    await withdraw(vault, agreed)
    assert [await refusal(vault, one) for one in (father, mother, stranger)] == ["consent-withdrawn", "consent-withdrawn", ""]
    told = [one for one in vault.entries() if one.kind == "record.read"][-2]
    assert (told.outcome, told.reason, told.article, told.about[0].record) == ("refuse", "CONSENT_WITHDRAWN", "cooperative:6.4", mother)
    vault.clock.forward(1)
    later, _ = await somebody(vault)
    assert await refusal(vault, later) == "", "what is agreed to after the withdrawal counts"
    assert await refusal(vault, mother) == "consent-withdrawn", "and only for who agreed"
    assert findings(vault) == []


async def test_another_purpose_and_another_number_are_not_touched(vault: World):
    _, agreed = await somebody(vault)
    mother, _ = await somebody(vault)
    for purpose in ("call_offers", "service_delivery"):
        await grant(vault, mother, await asked(vault, purpose, fields=frozenset(MOBILE)))
    await withdraw(vault, agreed)
    assert [await refusal(vault, mother, purpose) for purpose in ("call_offers", "service_delivery")] == ["", ""]
    job = await errand(vault)
    state = await vault.association.run(lambda deed: records.update(deed, job, mother, 1, {"mobile": "0550000001"}))
    assert state.revision == 2
    assert await refusal(vault, mother) == "", "her new number is nobody else's"


async def test_a_decision_that_names_no_means_of_contact_heeds_all_of_the_record(vault: World):
    _, agreed = await somebody(vault)
    mother = (await store(vault)).record
    await grant(vault, mother, await asked(vault, "sms_offers", fields=frozenset({"full_name", "mobile"})))
    await withdraw(vault, agreed)
    job, question = await errand(vault), Asked(mother, "contact", "sms_offers", ("full_name",), kind="decision")
    judged = await vault.association.run(lambda deed: asking.ask(deed, job, question))
    assert (judged.verdict.allowed, judged.verdict.reason) == (False, "CONSENT_WITHDRAWN")


async def test_what_nobody_can_be_found_by_is_silent_as_well_and_the_absent_has_no_token(vault: World):
    book = await vault.association.book()
    assert not next(one for one in book.types["beneficiary"].fields if one.name == "email").searchable
    people = [await store(vault, {**FATIMA, "email": mail}) for mail in ("Umm@Example.org", "umm@example.org", None)]
    given = [await grant(vault, one.record, await asked(vault, "email_offers", fields=frozenset({"email", "mobile"}))) for one in people]
    await withdraw(vault, given[2].id)  # who has no address, and the same number
    assert [await refusal(vault, one.record, "email_offers", ("email",)) for one in people[:2]] == ["", ""]
    assert [await refusal(vault, one.record, "email_offers") for one in people[:2]] == ["consent-withdrawn"] * 2
    await withdraw(vault, given[0].id)
    assert await refusal(vault, people[1].record, "email_offers", ("email",)) == "consent-withdrawn"


async def test_a_search_by_the_withdrawn_number_tells_of_nobody_for_that_purpose(vault: World):
    _, agreed = await somebody(vault)
    mother, _ = await somebody(vault)
    job = await errand(vault)

    async def found(purpose: str, field: str = "mobile", value: str = SHARED) -> tuple[bytes, ...]:
        return (await vault.association.run(lambda deed: searching.search(deed, job, Sought("beneficiary", field, value, purpose)))).matches

    assert mother in await found("sms_offers")
    await withdraw(vault, agreed)
    assert await found("sms_offers") == ()
    assert await found("sms_offers", "full_name", FATIMA["full_name"]) == (), "nobody agreed to be found by her name"
    assert set(await found("intake")) >= {mother}


async def test_of_the_number_nothing_is_kept_but_a_keyed_token_and_its_first_byte_in_the_clear(vault: World):
    _, agreed = await somebody(vault)
    await withdraw(vault, agreed)
    with vault.database.connect() as connection:
        row = connection.execute(select(fact).where(fact.c.kind == SILENCES.name)).one()
        told = connection.execute(select(log_tables.entry.c.body).order_by(log_tables.entry.c.number.desc())).scalars().first()
    inside = open_blob(vault.association.cabinet.facts, facts._context(vault.association.id, row.kind, row.key, row.version), row.sealed)
    token = next(iter(msgspec.json.decode(inside)["since"])).removeprefix("sms_offers ")
    assert (len(row.key), len(token), token[:2]) == (2, 32, row.key)
    assert "51234567" not in inside.decode()
    assert told is not None
    assert token[2:].encode() not in bytes(told), "the log holds no search token"
    assert row.key.encode() in bytes(told)


async def test_two_withdrawals_of_one_first_byte_share_a_fact_and_none_is_lost(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.access.silences._token", lambda _cabinet, field, said: b"\x00" + f"{field.kind}{said}".encode()[-15:])
    first, second = await somebody(small), await somebody(small, "0557654321")
    others = [(await somebody(small))[0], (await somebody(small, "0557654321"))[0]]
    for _, agreed in (first, second):
        await withdraw(small, agreed)
    assert [await refusal(small, one) for one in others] == ["consent-withdrawn"] * 2
    with small.database.connect() as connection:
        assert [row.key for row in connection.execute(select(fact).where(fact.c.kind == SILENCES.name))] == ["00"]


async def test_a_silence_taken_out_by_sql_is_an_alarm_and_never_a_yes(vault: World):
    _, agreed = await somebody(vault)
    mother, _ = await somebody(vault)
    await withdraw(vault, agreed)
    with vault.database.connect() as connection, connection.begin():
        connection.execute(fact.delete().where(fact.c.kind == SILENCES.name))
    with pytest.raises(Unavailable, match="integrity"):
        await read(vault, mother, "sms_offers", MOBILE)


async def test_a_record_that_does_not_open_keeps_nobody_from_withdrawing_and_rings(vault: World):
    record, agreed = await somebody(vault)
    with vault.database.connect() as connection, connection.begin():
        here = (container.c.record == record,)
        for row in connection.execute(select(container).where(*here)).all():
            broken = bytes(row.container[:-1]) + bytes([row.container[-1] ^ 1])
            connection.execute(update(container).where(*here, container.c.class_id == row.class_id).values(container=broken[:-5]))
    with pytest.raises(VaultError):
        await read(vault, record, "sms_offers", MOBILE)
    await withdraw(vault, agreed)
    last = vault.entries()[-2:]
    assert [(one.kind, one.reason) for one in last] == [("alarm", "INTEGRITY"), ("consent.withdrawn", None)]
    assert last[0].about[0].record == record


async def test_a_withdrawal_that_only_the_journal_knows_silences_the_number_too(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record, await asked(vault, "sms_offers", fields=frozenset(MOBILE)))
    mother, _ = await somebody(vault)
    vault.clock.forward(1)
    orphan(vault, Closing("withdrawal", kept.subject.hex(), key("sms_offers", "INTERNAL")))
    assert reclose(vault.association, vault.clock) == 1
    assert await refusal(vault, mother) == "consent-withdrawn"


async def test_a_refusal_silences_the_number_of_who_never_agreed_and_what_others_agreed_to_before(vault: World):
    mother, _ = await somebody(vault)
    stranger, _ = await somebody(vault, "0557654321")
    father = (await store(vault)).record
    vault.clock.forward(1)
    assert [await refusal(vault, one) for one in (mother, stranger)] == ["", ""]
    await refuse(vault, father)
    assert [await refusal(vault, one) for one in (father, mother, stranger)] == ["consent-refused", "consent-withdrawn", ""]
    assert [await refusal(vault, mother, one) for one in ("call_offers", "service_delivery")] == ["no-consent"] * 2
    vault.clock.forward(1)
    await grant(vault, mother, await asked(vault, "sms_offers", fields=frozenset(MOBILE)))
    assert await refusal(vault, mother) == "", "what she agreed to after the no counts"
    assert await refusal(vault, father) == "consent-refused", "and only for her"
    assert findings(vault) == []


async def test_a_refusal_recorded_late_ends_what_was_recorded_until_then_and_what_was_signed_until_it_was_said(vault: World):
    father = (await store(vault)).record
    said = vault.clock.now
    vault.clock.forward(60)
    mother, sister = [(await store(vault)).record for _ in range(2)]
    between = await asked(vault, "sms_offers", fields=frozenset(MOBILE))
    await grant(vault, mother, between)
    vault.clock.forward(60)
    await refuse(vault, father, said_at=said)
    assert await refusal(vault, mother) == "consent-withdrawn", "recorded before the no was"
    vault.clock.forward(1)
    for record in (sister, father):
        await grant(vault, record, between)
    assert [await refusal(vault, one) for one in (sister, father)] == ["", ""], "signed after the no was said, recorded after it was"
    early = await store(vault)
    await grant(vault, early.record, await asked(vault, "sms_offers", fields=frozenset(MOBILE), indicated_at=said))
    assert await refusal(vault, early.record) == "consent-withdrawn"
    await refuse(vault, father)
    assert await refusal(vault, sister) == "consent-withdrawn", "the newer no is the one that holds"
    await refuse(vault, father, said_at=said)
    vault.clock.forward(1)
    await grant(vault, sister, between)
    assert await refusal(vault, sister) == "consent-withdrawn", "and an older one said again takes nothing back"


async def test_who_has_no_such_means_of_contact_refuses_and_silences_nothing(small: World):
    kept = await store(small)
    await refuse(small, kept.record, "email_offers")
    closing = [one.closing for one in small.association.log.journal.lines()][-1]
    assert ended_consent(closing.detail) == ("email_offers", "INTERNAL", "")
    assert await refusal(small, kept.record, "email_offers", ("email",)) == "consent-refused"


async def test_a_refusal_silences_what_the_purposes_channel_goes_by_and_all_means_where_it_has_none(vault: World):
    both = {**FATIMA, "email": "umm@example.org"}
    mother = (await store(vault, both)).record
    for purpose in ("sms_offers", "email_offers"):
        await grant(vault, mother, await asked(vault, purpose, fields=frozenset({"email", "mobile"})))
    father = (await store(vault, both)).record
    await refuse(vault, father, "email_offers")
    assert [await refusal(vault, mother, "email_offers", (one,)) for one in ("email", "mobile")] == ["consent-withdrawn", ""]
    assert await refusal(vault, mother) == ""
    await narrow(vault, "sms_offers", channel="")
    await refuse(vault, father)
    assert [await refusal(vault, mother, "sms_offers", (one,)) for one in ("email", "mobile")] == ["consent-withdrawn"] * 2


async def test_a_no_of_one_person_in_two_records_silences_the_numbers_of_both(vault: World):
    one, other = await store(vault), await store(vault, {**FATIMA, "mobile": "0557654321"})
    sister, _ = await somebody(vault, "0557654321")
    await joined(vault, one.subject, other.subject)
    vault.clock.forward(1)
    await refuse(vault, one.record)
    assert await refusal(vault, sister) == "consent-withdrawn"
    assert await refusal(vault, other.record) == "consent-refused"


async def test_the_line_of_a_no_brings_the_silence_back_whoever_is_still_there(vault: World):
    mother, _ = await somebody(vault)
    father = await store(vault)
    vault.clock.forward(1)
    await refuse(vault, father.record)
    closing = [one.closing for one in vault.association.log.journal.lines()][-1]
    assert (closing.kind, closing.reference) == ("refusal", father.subject.hex())
    purpose, recipient, words = ended_consent(closing.detail)
    assert (purpose, recipient, bool(words)) == ("sms_offers", "INTERNAL", True)
    assert "51234567" not in closing.detail
    with vault.database.connect() as connection, connection.begin():
        connection.execute(fact.delete().where(fact.c.kind == SILENCES.name))
        connection.execute(log_tables.fact.delete().where(log_tables.fact.c.fact_kind == SILENCES.name))
    assert await refusal(vault, mother) == ""
    for altered in (("call_offers", words), (purpose, "=" + words)):
        with pytest.raises(Unavailable, match="integrity"):
            await vault.association.run(partial(again_of, *altered))
    assert reclose(vault.association, vault.clock) == 1
    last = vault.entries()[-1]
    assert (last.kind, last.actor, last.flags, last.about) == ("consent.refused", "system", ("from-journal",), ())
    assert await refusal(vault, mother) == "consent-withdrawn"
    vault.clock.forward(1)
    assert reclose(vault.association, vault.clock) == 0
    await grant(vault, mother, await asked(vault, "sms_offers", fields=frozenset(MOBILE)))
    assert reclose(vault.association, vault.clock) == 0
    assert await refusal(vault, mother) == ""


async def test_a_refusal_of_who_never_agreed_that_only_the_journal_knows_is_said_again(vault: World):
    kept = await store(vault)
    mother, _ = await somebody(vault)
    signed = await asked(vault, "sms_offers", fields=frozenset(MOBILE))
    orphan(vault, Closing("refusal", kept.subject.hex(), key("sms_offers", "INTERNAL")))
    vault.clock.forward(1)
    assert reclose(vault.association, vault.clock) == 1
    assert await refusal(vault, mother) == "consent-withdrawn"
    vault.clock.forward(1)
    await grant(vault, kept.record, signed)
    assert await refusal(vault, kept.record) == "stale-grant", "signed before the no"
    orphan(vault, Closing("invalidation", kept.subject.hex(), key("call_offers", "INTERNAL")))
    assert reclose(vault.association, vault.clock) == 1, "that a consent never was good is no no, and silences no number"
