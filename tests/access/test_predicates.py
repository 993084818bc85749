"""Predicates asked in the place of values: the same verdict and entry as a read of the field, and no more than yes, no or unknown."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import update

from keys.tokens import new_api_key
from tests.access.counter import told
from tests.household import BASIC, FATIMA, agreement, asked, findings, grant, lay_down, partner, store, verify, withdraw
from tests.household import written as paper
from tests.simulator import World
from vault.access.following import Follower
from vault.access.predicates_api import ROUTES
from vault.access_log import closed
from vault.access_log.entry import Entry
from vault.identity.scopes import PARTY_SCOPES, SYSTEM_SCOPES
from vault.records import tables
from vault.rulebook.refusals import BURST
from vault.rulebook.shapes import CLIENT, RECORD_TYPE, ClientFact, PredicateFact

pytestmark = pytest.mark.asyncio(loop_scope="function")
LABELS = {"ar": "سؤال", "en": "Question"}
SUPPORT_LINE = 4000
OWN = (
    PredicateFact(name="income_below_support_line", field="monthly_income", below=SUPPORT_LINE, labels=LABELS),
    PredicateFact(name="is_married", field="marital_status", one_of=("married",), labels=LABELS),
    PredicateFact(name="is_saudi", field="nationality", one_of=("سعودي", "سعودية"), labels=LABELS),
    PredicateFact(name="is_under_36", field="birth_date", younger_than=36, labels=LABELS),
    PredicateFact(name="is_under_150", field="birth_date", younger_than=150, labels=LABELS),
    PredicateFact(name="is_orphan", field="orphan_status", one_of=("يتيم", "يتيمة"), labels=LABELS),
)
ALL = ("birth_date", "short_address", "monthly_income", "marital_status", "nationality", "orphan_status")
HERS = {**FATIMA, "monthly_income": 3500, "marital_status": "widowed", "nationality": "سعودية", "short_address": "RRRD2929"}


@pytest_asyncio.fixture
async def http(vault: World) -> AsyncIterator[httpx.AsyncClient]:
    async with vault.front(*ROUTES) as made:
        yield made


@pytest_asyncio.fixture
async def world(vault: World) -> World:
    """A vault whose beneficiaries may be asked more than the pack declares."""
    shape = (await vault.association.book()).types["beneficiary"]
    await lay_down(vault, RECORD_TYPE, shape.name, msgspec.structs.replace(shape, predicates=(*shape.predicates, *OWN)))
    return vault


async def ask(http: httpx.AsyncClient, world: World, record: bytes, *names: str, key: str = "", **more: Any) -> httpx.Response:
    body = {"purpose": "service_delivery", "questions": list(names), **more}
    headers = {"Authorization": f"Bearer {key or world.ceremony.api_key}", "Accept-Language": "en"}
    return await http.post(f"/v1/records/{uuid.UUID(bytes=record)}/questions", json=body, headers=headers)


def said(answer: httpx.Response) -> list[str]:
    """What each row answers, or the code it is refused with."""
    assert answer.status_code == 200, answer.text
    return [row["answer"] if row["status"] == 200 else row["problem"]["code"] for row in answer.json()["results"]]


def entries(world: World) -> list[Entry]:
    return [entry for entry in world.entries() if entry.kind == "record.asked"]


async def her(world: World, *fields: str, **changes: Any) -> bytes:
    """Somebody who agreed to service delivery with these fields."""
    kept = await store(world, {**HERS, **changes})
    world.clock.forward(1)
    await grant(world, kept.record, await asked(world, fields=frozenset(fields or ALL), explicit=True))
    world.clock.forward(1)
    return kept.record


async def client(world: World, party: str, *scopes: str) -> str:
    """A key of this party's with these scopes and every purpose there is."""
    key, book = new_api_key("probe"), await world.association.refresh()
    purposes = tuple(sorted(book.purposes))
    secret = world.association.cabinet.pepper.hash("key", key.secret).hex()
    held: dict[str, Any] = {"name": "system", "kind": "batch", "scopes": scopes, "purposes": purposes, "secret_hash": secret}
    await lay_down(world, CLIENT, key.id, ClientFact(id=uuid.uuid4().hex, party=party, **held))
    return key.text


async def test_a_question_is_answered_on_the_verdict_of_its_field_and_the_entry_names_it_and_not_the_answer(http, world: World):
    record = await her(world)
    names = ("is_under_36", "lives_in_riyadh_region", "income_below_support_line", "is_married", "is_saudi", "is_orphan")
    answer = await ask(http, world, record, *names)
    assert said(answer) == ["no", "yes", "yes", "no", "yes", "unknown"]
    told_of = entries(world)
    assert [(one.outcome, one.fields, one.predicate, one.basis, one.article) for one in told_of] == [
        ("allow", (field,), name, "electronic_consent", "cooperative:6.1")
        for name, field in zip(
            names, ("birth_date", "short_address", "monthly_income", "marital_status", "nationality", "orphan_status"), strict=True
        )
    ]
    row = answer.json()["results"][0]
    assert row["decision"]["entry"]["leaf_hash"] == row["decision"]["id"]
    # Two people who differ in every answer leave the same entries, but for who they are.
    other = await her(
        world, birth_date="2000-01-01", monthly_income=4000, marital_status="married", short_address="ARRD2929", nationality="x"
    )
    assert said(await ask(http, world, other, *names)) == ["yes", "no", "no", "yes", "no", "unknown"]
    first, second = told_of, entries(world)[len(told_of) :]
    same = [[replace(one, about=(), consents=(), request=None) for one in each] for each in (first, second)]
    assert same[0] == same[1]
    for value in ("RRRD2929", "3500", "widowed"):
        assert value not in answer.text
    assert findings(world) == []


async def test_a_part_of_a_date_that_does_not_settle_it_is_unknown(http, world: World):
    record = await her(world, birth_date="1411")
    assert said(await ask(http, world, record, "is_minor", "is_under_36", "is_under_150")) == ["no", "unknown", "unknown"]


async def test_without_consent_nothing_is_told_apart_a_value_that_is_there_and_one_that_is_not(http, world: World):
    there, not_there = await store(world, HERS), await store(world, {**FATIMA, "national_id": "1000000016"})
    rows = [(await ask(http, world, one.record, "income_below_support_line", "is_saudi")).json()["results"] for one in (there, not_there)]
    shown = [[{**row["problem"], "entry": None, "request_id": None} for row in each] for each in rows]
    assert shown[0] == shown[1]
    assert {row["code"] for row in shown[0]} == {"no-consent"}
    assert {(one.outcome, one.reason, one.predicate) for one in entries(world)} == {
        ("refuse", "NO_CONSENT", "income_below_support_line"),
        ("refuse", "NO_CONSENT", "is_saudi"),
    }
    consent = await grant(world, there.record, await asked(world, fields=frozenset(BASIC)))
    assert said(await ask(http, world, there.record, "is_saudi")) == ["fields-not-covered"]
    await withdraw(world, consent.id)
    assert said(await ask(http, world, there.record, "is_saudi")) == ["consent-withdrawn"]


async def test_each_question_stands_alone_and_what_nobody_declared_is_asked_of_no_field(http, world: World):
    record = await her(world, "birth_date")
    names = ("is_minor", "is_saudi", "birth_date", "is_tall", "income_below_9000")
    assert said(await ask(http, world, record, *names)) == ["no", "fields-not-covered", *["unknown-field"] * 3]
    assert [(one.outcome, one.fields, one.predicate) for one in entries(world)] == [
        ("allow", ("birth_date",), "is_minor"),
        ("refuse", ("nationality",), "is_saudi"),
        *[("refuse", (), None)] * 3,
    ]


async def test_nobody_brings_a_constant_or_more_questions_than_a_call_takes(http, world: World):
    record = await her(world)
    for more in ({"below": 3000}, {"constants": [3000]}, {"fields": ["monthly_income"]}, {"recipient": "INTERNAL"}):
        assert told(await ask(http, world, record, "income_below_support_line", **more)) == (422, "invalid"), more
    assert told(await ask(http, world, record)) == (422, "invalid")
    assert told(await ask(http, world, record, "is_minor", "is_minor")) == (422, "invalid")
    assert told(await ask(http, world, record, *(f"q{number}" for number in range(11)))) == (422, "invalid")
    assert told(await ask(http, world, uuid.uuid4().bytes, "is_minor")) == (404, "not-found")
    assert entries(world) == []


async def test_a_sensitive_class_is_asked_about_on_explicit_consent_alone(http, world: World):
    kept = await store(world, {**HERS, "orphan_status": "يتيمة"})
    world.clock.forward(1)
    await grant(world, kept.record, await asked(world, fields=frozenset({"birth_date"})))
    assert said(await ask(http, world, kept.record, "is_orphan")) == ["fields-not-covered"]
    world.clock.forward(1)
    await grant(world, kept.record, await asked(world, fields=frozenset({"orphan_status"}), explicit=True))
    assert said(await ask(http, world, kept.record, "is_orphan")) == ["yes"]


async def test_a_party_outside_hears_an_answer_on_written_consent_naming_it_and_no_purpose_of_publication_or_order_opens_one(
    http, world: World
):
    await partner(world)
    await partner(world, "stranger")
    await agreement(world)
    await agreement(world, "stranger")
    record = await her(world)
    key, other = await client(world, "partner", *PARTY_SCOPES), await client(world, "stranger", *PARTY_SCOPES)
    share = {"purpose": "partner_sharing"}
    assert said(await ask(http, world, record, "is_minor", key=key, **share)) == ["no-consent"]
    assert said(await ask(http, world, record, "is_minor", key=key)) == ["action-mismatch"]
    form = {"form": "written", "evidence": paper("second_officer@probe", world.clock.now), "recipient": "partner"}
    given = await grant(world, record, await asked(world, "partner_sharing", fields=frozenset({"birth_date"}), **form))
    assert said(await ask(http, world, record, "is_minor", key=key, **share)) == ["evidence-unverified"]
    await verify(world, given.id, await world.person("officer"))
    world.clock.forward(1)
    assert said(await ask(http, world, record, "is_minor", "is_saudi", key=key, **share)) == ["no", "fields-not-covered"]
    assert said(await ask(http, world, record, "is_minor", key=other, **share)) == ["recipient-not-covered"]
    assert [(one.recipient, one.basis) for one in entries(world) if one.outcome == "allow"] == [("partner", "written_consent")]
    # An answer is a thing given: once she takes it back, the party is told to forget it.
    await withdraw(world, given.id)
    assert await Follower(world.association).follow() == 1
    assert [entry.recipient for entry in world.entries() if entry.kind == "recall.raised"] == ["partner"]
    # In the house itself: neither what is published nor what an authority orders is answered by a question.
    own = await client(world, "INTERNAL", *SYSTEM_SCOPES)
    assert said(await ask(http, world, record, "is_minor", key=own, purpose="publication")) == ["action-mismatch"]
    assert said(await ask(http, world, record, "is_minor", key=own, purpose="legal_order")) == ["not-permitted"]


async def test_who_may_ask_questions_reads_nothing_and_who_reads_may_not_ask_without_the_scope(http, world: World):
    record = await her(world)
    key = await client(world, "INTERNAL", "questions:ask")
    assert said(await ask(http, world, record, "is_minor", key=key)) == ["no"]
    reader = await client(world, "INTERNAL", "records:read")
    assert told(await ask(http, world, record, "is_minor", key=reader)) == (403, "out-of-scope")


async def test_refused_questions_count_as_refusals_of_the_caller(http, world: World):
    kept, refusals = await store(world, HERS), world.association.refusals
    for _ in range(BURST - 2):
        refusals.refused((await world.system()).ref)
    assert said(await ask(http, world, kept.record, "is_minor", "is_saudi", "is_married")) == ["no-consent"] * 3
    assert told(await ask(http, world, kept.record, "is_minor")) == (429, "too-many-requests")


async def test_a_cell_that_does_not_open_is_an_alarm_and_no_answer(http, world: World):
    record = await her(world)
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(tables.container).where(tables.container.c.record == record).values(container=b"x" * 64))
    assert said(await ask(http, world, record, "is_minor")) == ["integrity"]
    assert [entry.kind for entry in world.entries()][-1] == "alarm"


async def test_after_an_erasure_was_asked_for_no_log_holds_an_answer():
    assert "record.asked" in closed.OF_PERSONS
