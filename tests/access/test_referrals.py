"""Referrals: a reference and a service, data on a disclosure alone, the partner's own answers, and an end with the consent (004 5-10)."""

import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete, select, update

from tests.access.counter import Counter, told
from tests.access.desk import written as uuid_of
from tests.household import FATIMA, errand, findings, partner, store, withdraw
from tests.simulator import World
from vault.access import person_links, person_pages, referrals
from vault.access.agreements_api import agreement_routes
from vault.access.disclosures_api import disclosure_routes
from vault.access.erasure_api import routes as erasure_routes
from vault.access.following import Follower
from vault.access.person_api import person_routes
from vault.access.recall_facts import Cause
from vault.access.referral_facts import REFERRAL
from vault.access.referrals_api import ROUTES
from vault.access.told_about import keys_of
from vault.access_log import tables as log_tables
from vault.access_log.entry import Entry
from vault.consent import capacity
from vault.errors import Unavailable
from vault.policy.facts import SELF
from vault.rulebook import facts
from vault.rulebook.asker import Errand, Stranger
from vault.rulebook.tables import fact as rows
from vault.subjects import people
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest_asyncio.fixture
async def counter(vault: World) -> AsyncIterator[Counter]:
    async with Counter.over(vault) as made:
        factor = vault.identity.factor
        calls = (*agreement_routes(factor), *disclosure_routes(factor, {}), *erasure_routes(factor))
        async with vault.front(*ROUTES, *calls) as made.http:
            yield made


async def ready(counter: Counter) -> bytes:
    """Somebody who agreed that the partner is given her data, a partner with an agreement, and its own system; her record."""
    kept = await counter.agreed()
    await counter.allied()
    await counter.system_of()
    counter.world.clock.forward(1)
    return kept.record


async def refer(counter: Counter, record: bytes, who: str = "officer", **changes: Any) -> httpx.Response:
    key = changes.pop("key", "")
    body = {"record": uuid_of(record), "recipient": "partner", "service": "housing", **changes}
    return await counter.ask(who, "POST", "/referrals", body, **({"Idempotency-Key": key} if key else {}))


async def referred(counter: Counter, record: bytes, **changes: Any) -> str:
    counter.world.clock.forward(1)
    made = await refer(counter, record, **changes)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def own(counter: Counter, who: str = "partner", state: str = "all") -> list[dict[str, Any]]:
    answer = await counter.ask(who, "GET", f"/own-referrals?state={state}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def say(counter: Counter, id_: str, word: str, who: str = "partner") -> httpx.Response:
    what = "answer" if word in {"accepted", "refused"} else "outcome"
    return await counter.ask(who, "POST", f"/referrals/{id_}/{what}", {what: word})


def steps(world: World) -> list[Entry]:
    return [entry for entry in world.entries() if entry.kind.startswith("referral.")]


async def test_a_partner_is_told_a_reference_and_a_service_and_nothing_of_the_person(counter: Counter):
    record = await ready(counter)
    made = await refer(counter, record, key="0123456789abcdef")
    assert (made.status_code, made.json()["state"], made.json()["record"], made.json()["disclosure"]) == (
        201,
        "offered",
        uuid_of(record),
        None,
    )
    again = await refer(counter, record, key="0123456789abcdef")
    assert again.json() == made.json()
    answer = await counter.ask("partner", "GET", "/own-referrals")
    [seen] = answer.json()["items"]
    assert seen == {
        "id": made.json()["id"],
        "state": "offered",
        "service": "housing",
        "purpose": "partner_sharing",
        "disclosure": None,
        "offered_at": made.json()["offered_at"],
        "answer": None,
        "answered_at": None,
        "outcome": None,
        "outcome_at": None,
        "ended_at": None,
    }
    known = await counter.world.association.run(lambda deed: people.of_record(deed, record))
    for kept_back in (uuid_of(record), record.hex(), known.subject.hex(), str(uuid.UUID(bytes=known.subject)), *map(str, FATIMA.values())):
        assert kept_back not in answer.text
    [offered] = steps(counter.world)
    assert (offered.kind, offered.about[0].record, offered.recipient, offered.basis) == ("referral.offered", record, "partner", "agreement")
    assert (offered.fields, offered.article, offered.purpose) == ((), "cooperative:6.2", "partner_sharing")
    assert offered.agreement
    assert findings(counter.world) == []


async def test_the_partner_accepts_and_says_what_came_of_it_and_each_step_is_an_entry(counter: Counter):
    record = await ready(counter)
    id_ = await referred(counter, record)
    assert told(await say(counter, id_, "served")) == (409, "referral-settled")
    accepted = await say(counter, id_, "accepted")
    assert (accepted.status_code, accepted.json()["state"], accepted.json()["answer"]) == (200, "accepted", "accepted")
    assert (await say(counter, id_, "accepted")).json() == accepted.json()
    assert told(await say(counter, id_, "refused")) == (409, "referral-settled")
    done = await say(counter, id_, "served")
    assert (done.json()["state"], done.json()["outcome"]) == ("outcome", "served")
    assert (await say(counter, id_, "served")).json() == done.json()
    assert told(await say(counter, id_, "not-served")) == (409, "referral-settled")
    other = await referred(counter, record, service="food")
    assert (await say(counter, other, "refused")).json()["state"] == "refused"
    assert told(await say(counter, other, "not-served")) == (409, "referral-settled")
    assert [(one.kind, one.flags[:1], one.actor[:7]) for one in steps(counter.world)] == [
        ("referral.offered", ("ceremony",), "staff:" + steps(counter.world)[0].actor[6:7]),
        ("referral.answered", ("accepted",), "client:"),
        ("referral.outcome", ("served",), "client:"),
        ("referral.offered", ("ceremony",), "staff:" + steps(counter.world)[3].actor[6:7]),
        ("referral.answered", ("refused",), "client:"),
    ]
    listed = (await counter.ask("officer", "GET", "/referrals")).json()["items"]
    assert [(one["service"], one["state"], one["recipient"]) for one in listed] == [
        ("housing", "outcome", "partner"),
        ("food", "refused", "partner"),
    ]
    assert [one["service"] for one in await own(counter, state="refused")] == ["food"]


async def test_a_party_sees_and_answers_its_own_under_an_agreement_in_force_and_nobody_elses(counter: Counter):
    record = await ready(counter)
    id_ = await referred(counter, record)
    second = await referred(counter, record, service="food")
    await counter.recipient("other")
    await counter.system_of("other")
    assert told(await counter.ask("other", "GET", "/own-referrals")) == (403, "no-agreement")
    await counter.allied(recipient="other")
    assert await own(counter, "other") == []
    for word in ("accepted", "served"):
        assert told(await say(counter, id_, word, "other")) == (404, "not-found")
        assert told(await say(counter, str(uuid.uuid4()), word, "other")) == (404, "not-found")
    assert told(await counter.ask("other", "GET", f"/own-referrals?after={id_}")) == (404, "not-found")
    assert told(await counter.ask("partner", "GET", f"/own-referrals?after={uuid.uuid4()}")) == (404, "not-found")
    page = (await counter.ask("partner", "GET", "/own-referrals?limit=1")).json()
    assert ([one["id"] for one in page["items"]], page["next"]) == ([id_], id_)
    rest = (await counter.ask("partner", "GET", f"/own-referrals?after={id_}")).json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([second], None)
    # The agreement over: neither seen nor answered.
    counter.world.clock.forward(11 * 24 * 3600)
    assert told(await counter.ask("partner", "GET", "/own-referrals")) == (403, "no-agreement")
    assert told(await say(counter, id_, "accepted")) == (403, "no-agreement")
    assert [(one.kind, one.outcome, one.reason) for one in steps(counter.world)][-1] == ("referral.answered", "refuse", "NO_AGREEMENT")
    assert told(await counter.ask("partner", "GET", "/referrals")) == (403, "out-of-scope")
    assert told(await refer(counter, record, "partner")) == (403, "out-of-scope")


async def test_a_partys_key_sees_and_answers_what_it_is_for_and_no_more(counter: Counter):
    record = await ready(counter)
    id_ = await referred(counter, record)
    hers: dict[str, Any] = {"purposes": ("partner_sharing",), "types": ("beneficiary",)}
    for narrower in ({"purposes": ("service_delivery",)}, {"types": ("donor",)}):
        await counter.system_of(**{**hers, **narrower})
        assert await own(counter) == []
        assert told(await say(counter, id_, "accepted")) == (403, "out-of-scope")
        last = steps(counter.world)[-1]
        assert (last.kind, last.outcome, last.reason, last.article) == ("referral.answered", "refuse", "OUT_OF_SCOPE", "cooperative:1")
    assert await own(counter, state="refused") == []
    await counter.system_of(**hers)
    assert [one["id"] for one in await own(counter)] == [id_]
    assert (await say(counter, id_, "accepted")).status_code == 200
    assert findings(counter.world) == []


async def test_what_stands_against_a_referral_is_a_refusal_with_its_reason_and_an_entry(counter: Counter):
    world = counter.world
    record = (await store(world)).record
    assert told(await refer(counter, record)) == (403, "unknown-recipient")
    await counter.recipient()
    assert told(await refer(counter, record)) == (403, "no-agreement")
    await counter.allied()
    assert told(await refer(counter, record, purpose="nothing")) == (403, "unknown-purpose")
    assert told(await refer(counter, record, purpose="service_delivery")) == (403, "action-mismatch")
    assert told(await refer(counter, record, purpose="legal_order")) == (403, "action-mismatch")
    await counter.recipient("court", kind="authority")
    assert told(await refer(counter, record, recipient="court")) == (403, "unknown-recipient")
    await partner(world, "gone", revoked_at=world.clock.now)
    assert told(await refer(counter, record, recipient="gone")) == (403, "unknown-recipient")
    await counter.recipient("abroad", country="AE")
    assert told(await refer(counter, record, recipient="abroad")) == (403, "recipient-abroad")
    donor = await store(world, {"full_name": "هند"}, type_="donor")
    assert told(await refer(counter, donor.record)) == (403, "no-agreement")
    assert told(await refer(counter, uuid.uuid4().bytes)) == (404, "not-found")
    for service in ("", "Housing", "سكن", "for her 0551234567", "fatima", "housing\n"):
        assert told(await refer(counter, record, service=service)) == (422, "invalid"), service
    asked = await counter.ask("officer", "POST", f"/records/{uuid_of(record)}/erasure", {"reason": "she asks", "requested_by": "self"})
    assert asked.status_code == 202, asked.text
    assert told(await refer(counter, record)) == (403, "erasure-pending")
    refused = [(one.kind, one.outcome, one.reason) for one in steps(world)]
    assert refused[0] == ("referral.offered", "refuse", "UNKNOWN_RECIPIENT")
    assert {outcome for _, outcome, _ in refused} == {"refuse"}
    assert refused[-1] == ("referral.offered", "refuse", "ERASURE_PENDING")
    assert steps(world)[0].recipient is None, "what nobody registered is not named: a caller typed it"


async def test_nobody_is_referred_who_has_died(counter: Counter):
    record, world = await ready(counter), counter.world
    officer = await errand(world, await world.person("officer"))
    await world.association.run(lambda deed: capacity.died(deed, officer, record, "شهادة وفاة"))
    assert told(await refer(counter, record)) == (403, "subject-deceased")


async def test_with_data_it_rests_on_a_disclosure_that_two_people_made_to_this_partner(counter: Counter):
    record = await ready(counter)
    asked = await counter.requested(record)
    assert told(await refer(counter, record, disclosure=asked)) == (409, "not-approved")
    assert told(await refer(counter, record, disclosure=str(uuid.uuid4()))) == (404, "not-found")
    approved = await counter.approved(record)
    stranger = (await store(counter.world, {**FATIMA, "national_id": "1000000016"})).record
    assert told(await refer(counter, stranger, disclosure=approved)) == (422, "invalid")
    id_ = await referred(counter, record, disclosure=approved)
    [seen] = await own(counter)
    assert (seen["id"], seen["disclosure"]) == (id_, approved)
    kinds = [(one.kind, one.outcome, one.basis) for one in steps(counter.world)]
    assert kinds == [("referral.decided", "allow", "written_consent"), ("referral.offered", "allow", "agreement")]
    await counter.ask("second_officer", "POST", f"/disclosures/{approved}/revocation")
    assert told(await refer(counter, record, disclosure=approved)) == (409, "disclosure-revoked")
    assert told(await say(counter, id_, "accepted")) == (409, "referral-ended")


async def test_a_withdrawal_ends_a_referral_with_data_and_leaves_one_without(counter: Counter):
    world = counter.world
    kept = await store(world)
    await counter.recipient()
    await counter.allied()
    await counter.system_of()
    world.clock.forward(1)
    consent = await counter.shared(kept.record)
    world.clock.forward(1)
    approved = await counter.approved(kept.record)
    with_data = await referred(counter, kept.record, disclosure=approved)
    accepted = await referred(counter, kept.record, disclosure=approved, service="finance")
    assert (await say(counter, accepted, "accepted")).status_code == 200
    settled = await referred(counter, kept.record, disclosure=approved, service="food")
    assert (await say(counter, settled, "refused")).status_code == 200
    tell_only = await referred(counter, kept.record)
    await withdraw(world, consent)
    # In the same second nobody accepts any more, and no new one is made with data.
    assert told(await say(counter, with_data, "accepted")) == (409, "referral-ended")
    assert told(await refer(counter, kept.record, disclosure=approved)) == (403, "consent-withdrawn")
    assert await Follower(world.association).follow() == 2
    states = {one["id"]: one["state"] for one in await own(counter)}
    assert states == {with_data: "ended", accepted: "ended", settled: "refused", tell_only: "offered"}
    assert told(await say(counter, accepted, "served")) == (409, "referral-ended")
    assert (await say(counter, tell_only, "accepted")).status_code == 200
    ended = [one for one in steps(world) if one.kind == "referral.ended"]
    assert [(one.actor, one.recipient, one.about[0].record) for one in ended] == [("system", "partner", kept.record)] * 2
    assert findings(world) == []


async def test_an_erasure_ends_every_open_referral_and_one_of_some_classes_those_with_data(counter: Counter):
    record = await ready(counter)
    approved = await counter.approved(record)
    ids = [await referred(counter, record, disclosure=approved), await referred(counter, record)]
    known = await counter.world.association.run(lambda deed: people.of_record(deed, record))

    async def after(*fields: str, what: Any = "erasure") -> list[str]:
        cause = Cause(len(counter.world.entries()), what, known.subject, fields=frozenset(fields))
        await counter.world.association.run(lambda deed: referrals.end(deed, cause))
        shown = {one["id"]: one["state"] for one in await own(counter)}
        return [shown[id_] for id_ in ids]

    assert await after("mobile", what="correction") == ["offered", "offered"]
    assert await after("mobile") == ["ended", "offered"]
    assert await after() == ["ended", "ended"]


async def test_the_person_sees_on_her_own_page_where_she_was_referred(counter: Counter):
    record, world = await ready(counter), counter.world
    assert (await say(counter, await referred(counter, record), "accepted")).status_code == 200
    await referred(counter, record, service="food")
    known = await world.association.run(lambda deed: people.of_record(deed, record))
    seen = await world.association.run(lambda deed: referrals.of_person(deed, known.subject))
    assert [(one.service, one.state) for one in seen] == [("food", "offered"), ("housing", "accepted")]
    officer = Errand(await world.person("officer"), "request-1")
    made = await world.association.run(lambda deed: person_links.issue(deed, officer, record, SELF))
    job = Errand(Stranger(world.association, person_links.ACTOR), "request-2")
    session = await world.association.run(lambda deed: person_links.enter(deed, job, made.token, made.code), weight=2)
    own_page = await world.association.run(lambda deed: person_pages.view(deed, job, made.token, session))
    assert own_page is not None
    assert [one.service for one in own_page.referrals] == ["food", "housing"]


async def test_her_page_says_to_whom_with_or_without_data_and_how_it_stands(counter: Counter):
    record, world = await ready(counter), counter.world
    approved = await counter.approved(record)
    first = await referred(counter, record)
    for word in ("accepted", "not-served"):
        assert (await say(counter, first, word)).status_code == 200
    await referred(counter, record, disclosure=approved)
    officer = Errand(await world.person("officer"), "request-1")
    made = await world.association.run(lambda deed: person_links.issue(deed, officer, record, SELF))
    path = f"/{world.code}/person/{made.token}?lang=en"
    async with world.front(*person_routes(world.associations, {})) as http:
        page = await http.post(path, data={"code": made.code})
    assert page.status_code == 200, page.text
    referrals_of_hers = page.text.split('id="referred"')[1].split("</section>")[0]
    told_of = re.findall(r'<p class="hint">Referred on [^·]+ · ([^<]+)</p>', referrals_of_hers)
    assert told_of == ["with the data you agreed to in writing · no answer yet", "without any data · the service was not given"]
    assert referrals_of_hers.count("Party") == 2, "by the partner's name"
    assert referrals_of_hers.count("Housing") == 2


async def test_a_state_or_recipient_changed_in_the_table_is_convicted_and_nothing_is_told(counter: Counter):
    world = counter.world
    record = await ready(counter)
    id_ = await referred(counter, record)

    def row() -> Any:
        with world.database.connect() as connection, connection.begin():
            return connection.execute(select(rows).where(rows.c.kind == REFERRAL.name)).mappings().one()

    before = row()
    assert (await say(counter, id_, "refused")).status_code == 200
    after = row()
    place = (rows.c.kind == REFERRAL.name, rows.c.key == after["key"])
    # Put back as it was before the partner refused; altered in one byte; taken out.
    flipped = bytes(after["sealed"][:-1]) + bytes([after["sealed"][-1] ^ 1])
    for values in ({"version": before["version"], "sealed": before["sealed"]}, {"version": after["version"], "sealed": flipped}, None):
        with world.database.connect() as connection, connection.begin():
            connection.execute(delete(rows).where(*place) if values is None else update(rows).where(*place).values(**values))
        assert told(await counter.ask("partner", "GET", "/own-referrals")) == (503, "integrity")
        assert told(await say(counter, id_, "accepted")) == (503, "integrity")
        with world.database.connect() as connection, connection.begin():
            named = facts.examine(connection, world.association.cabinet, world.association.id)
        assert any(after["key"] in one for one in named)


async def test_an_entry_of_hers_that_cannot_be_read_is_an_integrity_failure(counter: Counter):
    world = counter.world
    record = await ready(counter)
    await referred(counter, record)
    known = await world.association.run(lambda deed: people.of_record(deed, record))
    entry = log_tables.entry
    with world.database.connect() as connection, connection.begin():
        if not world.database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(update(entry).where(entry.c.kind == "referral.offered").values(body=b"{}"))
    with pytest.raises(Unavailable):
        await world.association.run(lambda deed: keys_of(deed, known.subject, "referral.offered"))


async def note(counter: Counter, id_: str, word: str, at: str = "", *, way: str = "phone", who: str = "officer") -> httpx.Response:
    what = "answer" if word in {"accepted", "refused"} else "outcome"
    body = {what: word, "way": way, "said_at": at or write_time(counter.world.clock.now)}
    return await counter.ask(who, "POST", f"/referrals/{id_}/noted-{what}", body)


async def test_an_officer_notes_what_the_partner_said_and_how_and_nothing_leaves_by_it(counter: Counter):
    record = await ready(counter)
    id_ = await referred(counter, record)
    counter.world.clock.forward(60)
    assert told(await note(counter, id_, "served")) == (409, "referral-settled")
    noted = await note(counter, id_, "accepted", way="letter")
    assert (noted.status_code, noted.json()["answer"]) == (200, "accepted")
    [kept] = noted.json()["notes"]
    assert (kept["word"], kept["way"], kept["by"]) == ("accepted", "letter", (await counter.world.person("officer")).ref)
    assert told(await note(counter, id_, "refused")) == (409, "referral-settled")
    assert told(await say(counter, id_, "refused")) == (409, "referral-settled")
    assert (await note(counter, id_, "served")).json()["state"] == "outcome"
    assert [(one.kind, one.flags[:2]) for one in steps(counter.world)][1:] == [
        ("referral.answer-noted", ("accepted", "letter")),
        ("referral.outcome-noted", ("served", "phone")),
    ]
    assert not [one for one in counter.world.entries() if one.kind.startswith("disclosure.")]
    assert findings(counter.world) == []


async def test_a_note_needs_a_moment_that_can_be_a_referral_that_stands_and_an_officer(counter: Counter):
    record = await ready(counter)
    id_ = await referred(counter, record)
    now = counter.world.clock.now
    for at in ("yesterday", write_time(now + 60_000_000), write_time(now - 3_600_000_000)):
        for word in ("accepted", "served"):
            answer = await note(counter, id_, word, at)
            assert answer.status_code == (409 if word == "served" and at != "yesterday" else 422), answer.text
    assert (await note(counter, str(uuid.uuid4()), "accepted")).status_code == 404
    assert (await note(counter, id_, "accepted", who="partner")).status_code == 403
    assert (await note(counter, id_, "accepted", way="rumour")).status_code == 422
    known = await counter.world.association.run(lambda deed: people.of_record(deed, record))
    cause = Cause(len(counter.world.entries()), "erasure", known.subject)
    await counter.world.association.run(lambda deed: referrals.end(deed, cause))
    assert told(await note(counter, id_, "accepted")) == (409, "referral-ended")
