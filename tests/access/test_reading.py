"""What the reading calls give: values on a committed `allow` entry that names them, and a cited reason for all else."""

import asyncio
import json

import msgspec
import pytest

from tests.access.desk import Desk, rows_of, written
from tests.household import BASIC, FATIMA, agreement, asked, grant, lay_down, partner, store, withdraw
from tests.household import written as paper
from tests.simulator import World
from vault.access import reading
from vault.access.verdicts import Asked
from vault.access_log import tables
from vault.errors import Refused, Unauthenticated
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import CLIENT
from vault.web import Needs
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
NOBODY = "00000000-0000-4000-8000-000000000000"
SHOWN = {"full_name": "فاطمة بنت خالد الشمري", "national_id": "1000000008", "mobile": "+966551234567"}


async def somebody(world: World) -> bytes:
    """A record whose person agreed to service delivery."""
    kept = await store(world)
    world.clock.forward(60)
    await grant(world, kept.record)
    return kept.record


async def test_a_value_comes_with_the_entry_that_names_it(desk: Desk):
    record = await somebody(desk.world)
    answer = await desk.read(record, fields="full_name,national_id,mobile")
    assert answer.status_code == 200
    told = answer.json()
    assert told["fields"] == SHOWN
    assert (told["id"], told["type"], told["revision"]) == (written(record), "beneficiary", 1)
    decision, entries = told["decision"], desk.world.entries()
    last = entries[-1]
    assert decision["entry"]["index"] == len(entries) - 1
    assert decision["id"] == decision["entry"]["leaf_hash"]
    assert (decision["article"], decision["basis"], decision["law"]) == ("cooperative:6.1", "electronic_consent", last.law)
    assert (last.kind, last.outcome, last.purpose, last.basis) == ("record.read", "allow", "service_delivery", "electronic_consent")
    assert last.about[0].record == record
    assert set(last.fields) == set(SHOWN)
    assert last.recipient == "INTERNAL"
    assert len(last.consents) == 1


@pytest.mark.parametrize(
    ("purpose", "fields", "code", "article"),
    [
        ("sms_offers", "mobile", "action-mismatch", "cooperative:6.4"),
        ("no_such_purpose", "mobile", "unknown-purpose", "cooperative:1"),
        ("service_delivery", "no_such_field", "unknown-field", "cooperative:1"),
        ("service_delivery", "iban", "fields-not-covered", "cooperative:6.1"),
        ("service_delivery", "full_name,iban", "fields-not-covered", "cooperative:6.1"),
        ("internal_research", "full_name", "no-consent", "cooperative:6.3"),
        ("legal_order", "full_name", "not-permitted", "cooperative:4"),
    ],
)
async def test_a_no_cites_its_article_and_is_an_entry(small_desk: Desk, purpose: str, fields: str, code: str, article: str):
    record = await somebody(small_desk.world)
    answer = await small_desk.read(record, purpose=purpose, fields=fields)
    assert answer.status_code == 403
    problem, last = answer.json(), small_desk.world.entries()[-1]
    assert (problem["code"], problem["article"]) == (code, article)
    assert "fields" not in problem
    assert (last.kind, last.outcome, last.basis, last.article) == ("record.read", "refuse", "none", article)
    assert last.reason is not None
    assert problem.get("law") == last.law
    assert last.consents == ()
    assert len(problem["entry"]["leaf_hash"]) == 64
    if code == "fields-not-covered":
        assert problem["fields_covered"] == (["full_name"] if "," in fields else [])


async def test_nothing_a_caller_typed_that_the_vault_does_not_know_stands_in_the_log(small_desk: Desk):
    record = await somebody(small_desk.world)
    await small_desk.read(record, purpose="1000000008", fields="1000000008")
    question = {
        "record": written(record),
        "action": "1000000008",
        "purpose": "1000000008",
        "recipient": "1000000008",
        "fields": ["1000000008"],
    }
    assert (await small_desk.post("/v1/decisions", question)).status_code == 200
    for last in small_desk.world.entries()[-2:]:
        assert (last.fields, last.purpose) == ((), None)
    assert "1000000008" not in repr(small_desk.world.entries())


async def test_a_stricter_action_refuses_and_none_widens(small_desk: Desk):
    record = await somebody(small_desk.world)
    for action in ("contact", "publish", "disclose"):
        assert (await small_desk.read(record, action=action)).json()["code"] == "action-mismatch"
    assert (await small_desk.read(record, action="use")).status_code == 200
    await grant(small_desk.world, record, await asked(small_desk.world, "sms_offers", fields=frozenset({"mobile"})))
    assert (await small_desk.read(record, "sms_offers", "mobile", action="contact")).json()["fields"] == {"mobile": "+966551234567"}


async def test_what_is_not_there_is_not_found_and_leaves_no_entry(small_desk: Desk):
    await store(small_desk.world)
    before = len(small_desk.world.entries())
    assert (await small_desk.get(f"/v1/records/{NOBODY}", purpose="service_delivery", fields="full_name")).status_code == 404
    question = {"record": NOBODY, "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}
    assert (await small_desk.post("/v1/decisions", question)).status_code == 404
    many = (await small_desk.post("/v1/decisions/batch", {"items": [question]})).json()["results"]
    assert [(one["status"], one["problem"]["code"]) for one in many] == [(404, "not-found")]
    assert len(small_desk.world.entries()) == before


async def test_many_are_read_in_one_commit_each_with_its_own_entry(desk: Desk):
    world = desk.world
    first = await somebody(world)
    second = (await store(world, FATIMA | {"full_name": "هند بنت علي", "national_id": "1000000016"})).record
    batches = world.association.log.batches[0]
    body = {"ids": [written(first), NOBODY, written(second)], "purpose": "service_delivery", "fields": list(BASIC)}
    answer = await desk.post("/v1/records/read", body)
    assert answer.status_code == 200
    good, nobody, refused = answer.json()["results"]
    assert (good["id"], good["status"], good["fields"]) == (written(first), 200, SHOWN)
    assert (nobody["status"], nobody["problem"]["code"]) == (404, "not-found")
    assert (refused["id"], refused["status"], refused["problem"]["code"]) == (written(second), 403, "no-consent")
    assert "fields" not in refused
    entries = world.entries()
    assert [(one.outcome, one.about[0].record) for one in entries[-2:]] == [("allow", first), ("refuse", second)]
    assert good["decision"]["entry"]["index"] == len(entries) - 2
    assert world.association.log.batches[0] == batches + 1


@pytest.mark.parametrize(
    ("ids", "fields", "status"),
    [
        ([], ["full_name"], 422),
        ([NOBODY, NOBODY], ["full_name"], 422),
        ([NOBODY], [], 400),
        ([NOBODY], ["a", "a"], 400),
    ],
)
async def test_a_batch_that_says_nothing_clear_is_refused_whole(small_desk: Desk, ids: list[str], fields: list[str], status: int):
    before = len(small_desk.world.entries())
    answer = await small_desk.post("/v1/records/read", {"ids": ids, "purpose": "service_delivery", "fields": fields})
    assert answer.status_code == status
    assert len(small_desk.world.entries()) == before


async def test_an_id_that_is_none_is_its_rows_problem_and_is_not_said_again(small_desk: Desk):
    world = small_desk.world
    record = await somebody(world)
    body = {"ids": ["my neighbour", written(record), written(record).upper()], "purpose": "service_delivery", "fields": ["full_name"]}
    answer = await small_desk.post("/v1/records/read", body)
    typed, good, spelled = answer.json()["results"]
    assert (answer.status_code, good["id"], good["status"], good["fields"]) == (
        200,
        written(record),
        200,
        {"full_name": SHOWN["full_name"]},
    )
    for row in (typed, spelled):
        assert (row["id"], row["status"], row["problem"]["code"]) == (None, 404, "not-found")
    assert "neighbour" not in answer.text
    question = {"record": written(record), "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}
    items = [question | {"record": "x"}, question, question | {"fields": ["mobile", "mobile"]}]
    rows = (await small_desk.post("/v1/decisions/batch", {"items": items})).json()["results"]
    assert [row.get("status") for row in rows] == [404, None, 422]
    assert rows[1]["decision"] == "permit"
    before = len(world.entries())
    answer = await small_desk.post("/v1/records/read", body | {"ids": ["x", "y"]})
    assert [row["status"] for row in answer.json()["results"]] == [404, 404]
    assert len(world.entries()) == before


async def test_a_batch_is_of_five_hundred_at_most(small_desk: Desk):
    kept = await store(small_desk.world)
    question = {"record": written(kept.record), "action": "use", "purpose": "no_such", "recipient": "INTERNAL", "fields": ["full_name"]}
    ids = [write_id(number.to_bytes(16, "big")) for number in range(501)]
    body = {"ids": ids, "purpose": "service_delivery", "fields": ["full_name"]}
    assert (await small_desk.post("/v1/records/read", body)).json()["errors"] == [{"field": "ids", "code": "out-of-range"}]
    answer = await small_desk.post("/v1/decisions/batch", {"items": [question] * 501})
    assert answer.json()["errors"] == [{"field": "items", "code": "out-of-range"}]
    assert (await small_desk.post("/v1/decisions/batch", {"items": []})).status_code == 422
    assert (await small_desk.post("/v1/records/read", body | {"ids": ids[:500]})).status_code == 200
    answer = await small_desk.post("/v1/decisions/batch", {"items": [question] * 500})
    assert {one["decision"] for one in answer.json()["results"]} == {"deny"}


async def test_a_question_is_answered_and_gives_no_value(desk: Desk):
    record = await somebody(desk.world)
    question = {"record": written(record), "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": list(BASIC)}
    yes = (await desk.post("/v1/decisions", question)).json()
    assert (yes["decision"], yes["reason"], yes["article"], yes["basis"]) == (
        "permit",
        "CONSENT_OK",
        "cooperative:6.1",
        "electronic_consent",
    )
    assert yes["fields_covered"] == sorted(BASIC)
    assert yes["valid_until"].startswith("2026-01-01T00:02:")
    assert not set(SHOWN.values()) & set(json.dumps(yes, ensure_ascii=False).split('"'))
    no = (await desk.post("/v1/decisions", question | {"fields": ["iban", "mobile"]})).json()
    assert (no["decision"], no["reason"], no["fields_covered"], no["basis"]) == ("deny", "FIELDS_NOT_COVERED", ["mobile"], "none")
    assert "valid_until" not in no
    entries = desk.world.entries()[-2:]
    assert [(one.kind, one.outcome) for one in entries] == [("decision", "allow"), ("decision", "refuse")]
    assert no["entry"]["index"] == yes["entry"]["index"] + 1
    both = (await desk.post("/v1/decisions/batch", {"items": [question, question | {"purpose": "x"}]})).json()["results"]
    assert [(one["decision"], one["reason"]) for one in both] == [("permit", "CONSENT_OK"), ("deny", "UNKNOWN_PURPOSE")]
    twice = await desk.post("/v1/decisions", question | {"fields": ["mobile", "mobile"]})
    assert twice.status_code == 422


async def test_a_withdrawal_bites_in_the_next_answer(desk: Desk):
    world = desk.world
    kept = await store(world)
    world.clock.forward(60)
    given = await grant(world, kept.record)
    assert (await desk.read(kept.record)).status_code == 200
    await withdraw(world, given.id)
    assert (await desk.read(kept.record)).json()["code"] == "consent-withdrawn"


async def test_a_party_outside_reads_only_what_is_disclosed_to_it(desk: Desk):
    world = desk.world
    kept = await store(world)
    await partner(world, "partner")
    await agreement(world)
    world.clock.forward(60)
    await grant(world, kept.record)
    evidence = paper("second_officer@probe", world.clock.now)
    shared = await asked(world, "partner_sharing", recipient="partner", form="written", evidence=evidence, fields=frozenset({"mobile"}))
    await grant(world, kept.record, shared)
    book = await world.association.refresh()
    key, own = next(iter(book.clients.items()))
    await lay_down(world, CLIENT, key, msgspec.structs.replace(own, party="partner"))
    assert (await desk.read(kept.record, action="use")).json()["code"] == "out-of-scope"
    assert (await desk.read(kept.record, "partner_sharing", "mobile")).json()["code"] == "evidence-unverified"
    question = {"record": written(kept.record), "action": "disclose", "purpose": "partner_sharing", "fields": ["mobile"]}
    for recipient in ("INTERNAL", "other"):
        answer = (await desk.post("/v1/decisions", question | {"recipient": recipient})).json()
        assert answer["reason"] in {"OUT_OF_SCOPE", "UNKNOWN_RECIPIENT"}
    assert desk.world.entries()[-1].recipient is None


async def test_a_key_revoked_while_its_read_waits_reads_nothing(desk: Desk):
    world = desk.world
    record = await somebody(world)
    book = await world.association.refresh()
    key, own = next(iter(book.clients.items()))
    caller = await world.system()
    await lay_down(world, CLIENT, key, msgspec.structs.replace(own, revoked_at=world.clock.now))
    assert (await desk.read(record)).status_code == 401
    with pytest.raises(Unauthenticated):
        await reading.read(Errand(caller, "r"), Asked(record, None, "service_delivery", ("full_name",)))
    assert all(entry.outcome != "allow" or entry.kind != "record.read" for entry in world.entries())


async def test_a_scope_taken_away_while_the_call_waits_refuses_it_with_an_entry_each(desk: Desk):
    world = desk.world
    record = await somebody(world)
    caller = await world.knock(world.ceremony.api_key, Needs("records:read"))
    key, own = next(iter((await world.association.refresh()).clients.items()))
    await lay_down(world, CLIENT, key, msgspec.structs.replace(own, scopes=("records:list",)))
    what = reading.Read(Errand(caller, "r"), Asked(record, None, "service_delivery", ("full_name",)))
    with pytest.raises(Refused) as refused:
        await reading.read(what.errand, what.asked)
    assert (refused.value.code, refused.value.article) == ("out-of-scope", "cooperative:1")
    read, asked_ = await reading.read_many(caller, [what]), await reading.ask_many(caller, [what])
    hashes = [one.leaf_hash for one in (refused.value, *read, *asked_) if isinstance(one, Refused)]
    last = rows_of(world, tables.entry)[-3:]
    assert [(row["kind"], row["outcome"], row["reason"]) for row in last] == [("call.refused", "refuse", "OUT_OF_SCOPE")] * 3
    assert [row["leaf"] for row in last] == hashes
    assert (await desk.read(record)).status_code == 403


async def test_sixteen_readers_at_once_each_get_their_own_entry(desk: Desk):
    record = await somebody(desk.world)
    answers = await asyncio.gather(*(desk.read(record) for _ in range(16)))
    indexes = [answer.json()["decision"]["entry"]["index"] for answer in answers]
    assert len(set(indexes)) == 16
    assert all(desk.world.entries()[index].outcome == "allow" for index in indexes)


async def test_who_stored_somebody_reads_her_back_during_intake_and_nobody_else(desk: Desk):
    world = desk.world
    kept = await store(world)
    answer = await desk.read(kept.record, "intake")
    assert (answer.status_code, answer.json()["decision"]["basis"]) == (200, "law")
    key, own = next(iter((await world.association.refresh()).clients.items()))
    await lay_down(world, CLIENT, key, msgspec.structs.replace(own, id="f" * 32))  # the same key, another client's
    assert (await desk.read(kept.record, "intake")).json()["code"] == "out-of-scope"
    await lay_down(world, CLIENT, key, own)
    world.clock.forward(24 * 3600)
    assert (await desk.read(kept.record, "intake")).json()["code"] == "out-of-scope"
