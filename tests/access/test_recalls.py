"""Recalls: what past recipients are told of is taken from the log, raised once, waits in an outbox, and is confirmed."""

import uuid
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert, update

from keys.notes import Signer
from keys.secret import Secret
from tests.access.counter import Counter, by_law_of_orders, told
from tests.access.desk import rows_of
from tests.access.desk import written as uuid_of
from tests.access.test_processors import TERMS
from tests.access.test_silences import joined
from tests.household import asked, errand, grant, lay_down, read, store, verify, written
from tests.household import withdraw as take_back
from tests.simulator import World
from vault.access import contact, following, outbox, recall_note
from vault.access.contact import Wanted
from vault.access.examine import recalled
from vault.access.following import Follower
from vault.access.outbox import FIRST_PAUSE, LEASE, LONGEST_PAUSE, Job
from vault.access.recall_facts import RECALL, RecallFact
from vault.access.recall_note import GOOD_FOR, RecallRefused
from vault.access.recalls_api import ROUTES
from vault.access.register_api import ROUTES as REGISTER
from vault.access.tables import recall_outbox
from vault.access_log import tables as log_tables
from vault.access_log.verify import snapshot
from vault.errors import Unavailable
from vault.records import service
from vault.rulebook import facts
from vault.rulebook.shapes import RECIPIENT
from vault.subjects import people

pytestmark = pytest.mark.asyncio(loop_scope="function")
HOOK = "https://partner.example/hook"


def recalls(world: World) -> list[RecallFact]:
    """Every recall, the oldest first."""
    with snapshot(world.database, world.association.id) as connection:
        found = facts.read_known(connection, world.association.cabinet, world.association.id, RECALL).values()
    return sorted(found, key=lambda one: (one.cause, one.recipient))


async def shared(counter: Counter) -> tuple[bytes, bytes]:
    """Somebody whose data the partner fetched in a package on her written consent: the record and the consent."""
    kept = await store(counter.world)
    await counter.recipient()
    counter.world.clock.forward(1)
    consent = await counter.shared(kept.record)
    assert (await counter.package(await counter.approved(kept.record))).status_code == 200
    counter.world.clock.forward(1)
    return kept.record, consent


async def correct(world: World, record: bytes, fields: dict[str, Any], revision: int = 1) -> None:
    job, shape = await errand(world), service.type_of(await world.association.book(), "beneficiary")
    assert shape.name == "beneficiary"
    await world.association.run(lambda deed: service.update(deed, job, record, revision, fields))


async def test_a_withdrawal_is_told_to_who_fetched_on_it_and_to_nobody_else(counter: Counter):
    world = counter.world
    record, consent = await shared(counter)
    await counter.recipient("other")
    follower = Follower(world.association)
    assert await follower.follow() == 0
    await take_back(world, consent)
    assert await follower.follow() == 1
    (one,) = recalls(world)
    assert (one.recipient, one.what, one.record, one.purpose) == ("partner", "withdrawal", record.hex(), "partner_sharing")
    assert (one.fields, one.told_at, one.outcome) == (("full_name", "mobile", "national_id"), None, None)
    raised = [entry for entry in world.entries() if entry.kind == "recall.raised"]
    assert [(entry.recipient, [about.record for about in entry.about], entry.actor) for entry in raised] == [
        ("partner", [record], "system")
    ]
    assert [(row["recipient"], row["attempts"]) for row in rows_of(world, recall_outbox)] == [("partner", 0)]
    # Another process, or this one after a start, raises nothing twice.
    assert await Follower(world.association).follow() == 0
    assert await follower.follow() == 0
    assert len(recalls(world)) == 1


async def test_a_withdrawal_of_something_else_is_told_to_nobody(counter: Counter):
    world = counter.world
    record, _ = await shared(counter)
    given = await grant(world, record)
    world.clock.forward(1)
    await take_back(world, given.id)
    assert await Follower(world.association).follow() == 0


async def test_a_correction_is_told_where_a_field_that_was_given_changed(counter: Counter):
    world = counter.world
    record, _ = await shared(counter)
    follower = Follower(world.association)
    await correct(world, record, {"birth_date": "1990-05-11"})
    assert await follower.follow() == 0
    await correct(world, record, {"mobile": "0551234560"}, 2)
    assert await follower.follow() == 1
    (one,) = recalls(world)
    assert (one.what, one.fields, one.purpose) == ("correction", ("mobile",), "")
    # What is given after it is given as it is now: nobody has to be told of that.
    other = await store(world, {"full_name": "هند", "identity_note": "x", "mobile": "0551234561"})
    world.clock.forward(1)
    await counter.shared(other.record, fields=("mobile",))
    assert await follower.follow() == 0


async def test_an_erasure_is_told_to_everybody_an_authority_included(counter: Counter):
    world = counter.world
    record, _ = await shared(counter)
    await counter.recipient("court", kind="authority")
    order = await counter.ordered(record)
    assert (await counter.package(await counter.approved(record, **by_law_of_orders(order)))).status_code == 200
    revoked = await counter.ask("officer", "POST", f"/orders/{order}/revocation")
    assert revoked.status_code == 200
    path = f"/records/{uuid_of(record)}/erasure"
    locked = await counter.ask("officer", "POST", path, {"reason": "she asked", "requested_by": "self"})
    assert locked.status_code == 202, locked.text
    done = await counter.approve("second_officer", f"/erasures/{locked.json()['id']}/approval")
    assert done.status_code == 200, done.text
    assert await Follower(world.association).follow() == 2
    assert [(one.recipient, one.what, one.record) for one in recalls(world)] == [
        ("court", "erasure", record.hex()),
        ("partner", "erasure", record.hex()),
    ]


async def test_what_one_record_said_no_to_is_told_of_the_other_once_they_are_one_persons(counter: Counter):
    world = counter.world
    await counter.recipient()
    first, second, asking = [await store(world) for _ in range(3)]
    world.clock.forward(1)
    agreed = [await counter.shared(one.record) for one in (first, second, asking)]
    for given in (first, second):
        assert (await counter.package(await counter.approved(given.record))).status_code == 200
    world.clock.forward(1)
    follower = Follower(world.association)
    await take_back(world, agreed[-1])
    assert await follower.follow() == 0
    await joined(world, asking.subject, first.subject)
    assert await follower.follow() == 1
    assert [(one.what, one.record, one.purpose) for one in recalls(world)] == [("withdrawal", first.record.hex(), "partner_sharing")]
    # A third that is joined to them is told of, and the first is not told of again.
    await joined(world, first.subject, second.subject)
    assert await Follower(world.association).follow() == 1
    assert {one.record for one in recalls(world)} == {first.record.hex(), second.record.hex()}


async def test_a_no_for_two_records_at_once_is_told_once_of_a_third_that_is_joined_to_them(counter: Counter):
    world = counter.world
    await counter.recipient()
    first, given, asking = [await store(world) for _ in range(3)]
    world.clock.forward(1)
    agreed = [await counter.shared(one.record) for one in (first, given, asking)]
    assert (await counter.package(await counter.approved(given.record))).status_code == 200
    world.clock.forward(1)
    await joined(world, asking.subject, first.subject)
    await take_back(world, agreed[-1])
    follower = Follower(world.association)
    assert await follower.follow() == 0
    await joined(world, given.subject, first.subject)
    assert await follower.follow() == 1
    assert [(one.what, one.record) for one in recalls(world)] == [("withdrawal", given.record.hex())]


async def test_what_was_given_after_the_other_record_said_no_was_given_on_a_later_word(small_counter: Counter):
    counter, world = small_counter, small_counter.world
    await counter.recipient()
    asking, given = [await store(world) for _ in range(2)]
    world.clock.forward(1)
    agreed = await counter.shared(asking.record)
    world.clock.forward(1)
    await take_back(world, agreed)
    world.clock.forward(1)
    await counter.shared(given.record)
    assert (await counter.package(await counter.approved(given.record))).status_code == 200
    await joined(world, asking.subject, given.subject)
    assert await Follower(world.association).follow() == 0


async def test_of_several_records_each_is_told_of_where_it_was_given_and_what_the_house_read_is_told_to_nobody(small_counter: Counter):
    counter, world = small_counter, small_counter.world
    record, _ = await shared(counter)
    known = await world.association.run(lambda deed: people.of_record(deed, record).subject)
    second = await store(world, {"full_name": "فاطمة"}, type_="donor", known=known)
    given = await grant(world, record)
    # A consent in writing that never counted, and was rejected, ends nothing that anybody was given.
    form = {"form": "written", "evidence": written("second_officer@probe", world.clock.now)}
    never = await grant(world, record, await asked(world, "partner_sharing", recipient="partner", **form))
    await verify(world, never.id, await world.person("officer"), "rejected")
    world.clock.forward(1)
    assert (await read(world, record))["mobile"]
    follower = Follower(world.association)
    assert await follower.follow() == 0
    assert given.id != never.id
    await correct(world, second.record, {"full_name": "فاطمة الشمري"})
    assert await follower.follow() == 0, "another record of hers, which was given to nobody"
    path = f"/records/{uuid_of(second.record)}/erasure"
    locked = await counter.ask("officer", "POST", path, {"reason": "she asked", "requested_by": "self"})
    done = await counter.approve("second_officer", f"/erasures/{locked.json()['id']}/approval")
    assert done.status_code == 200, done.text
    assert await follower.follow() == 1, "the erasure is the person's, and told of once"
    assert [(one.recipient, one.what, one.record) for one in recalls(world)] == [("partner", "erasure", record.hex())]


async def test_who_withdraws_from_offers_is_told_to_the_processor_that_wrote_to_her(counter: Counter):
    world = counter.world
    kept = await store(world)
    world.clock.forward(1)
    given = await grant(world, kept.record, await asked(world, "sms_offers", fields=frozenset({"mobile"})))
    await counter.recipient("mailer", kind="processor")
    await counter.allied(recipient="mailer", purposes=["sms_offers"], processing=TERMS)
    await counter.system_of("mailer", scopes=("contacts:read",), purposes=("sms_offers",))
    job = await errand(world, await world.knock(counter.tokens["mailer"]))
    made = await world.association.run(
        lambda deed: contact.page(deed, job, Wanted(type="beneficiary", purpose="sms_offers", channel="sms"))
    )
    assert len(made.contacts()) == 1
    world.clock.forward(1)
    await take_back(world, given.id)
    assert await Follower(world.association).follow() == 1
    assert [(one.recipient, one.what, one.fields) for one in recalls(world)] == [("mailer", "withdrawal", ("mobile",))]


async def test_many_causes_are_followed_in_several_rounds_and_the_place_is_kept(counter: Counter, monkeypatch: pytest.MonkeyPatch):
    world = counter.world
    record, _ = await shared(counter)
    monkeypatch.setattr(following, "AT_ONCE", 2)
    for revision in range(1, 6):
        await correct(world, record, {"mobile": f"055123456{revision}"}, revision)
    assert await Follower(world.association).follow() == 5
    monkeypatch.setattr(following, "REMEMBERED", 1)
    await correct(world, record, {"birth_date": "1990-05-11"}, 6)
    follower = Follower(world.association)
    assert await follower.follow() == 0
    assert [entry.kind for entry in world.entries()].count("recalls.followed") > 1


async def test_two_who_follow_at_once_raise_each_recall_once(counter: Counter):
    world = counter.world
    record, consent = await shared(counter)
    one, two = Follower(world.association), Follower(world.association)
    await take_back(world, consent)
    causes, end = await world.association.look(lambda transaction: following._causes(transaction, world.association.id, 0))
    raised = [await world.association.run(partial(following._raise, causes=causes, end=end)) for _ in (one, two)]
    assert raised == [1, 0]
    assert record


async def test_an_entry_that_is_none_stops_the_following(counter: Counter):
    world = counter.world
    _, consent = await shared(counter)
    await take_back(world, consent)
    place = log_tables.entry
    with world.database.connect() as connection, connection.begin():
        if not world.database.is_sqlite:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS access_log_entry_no_update")
        connection.execute(update(place).where(place.c.kind == "consent.withdrawn").values(body=b"{}"))
    with pytest.raises(Unavailable, match="integrity"):
        await Follower(world.association).follow()


async def hooked(world: World, code: str = "partner", **changes: Any) -> None:
    """Give a recipient a webhook, as its registration does."""
    found = (await world.association.refresh()).recipients[code]
    await lay_down(world, RECIPIENT, code, msgspec.structs.replace(found, webhook=HOOK, **changes))


async def claimed(world: World, busy: frozenset[str] = frozenset(), only: str | None = None) -> list[Job]:
    return await world.association.run(lambda deed: outbox.claim(deed, world.association.books.at(deed), busy, only))


async def test_a_recall_is_in_one_hand_until_its_lease_ends_and_tried_again_ever_later(counter: Counter):
    world = counter.world
    _, consent = await shared(counter)
    await take_back(world, consent)
    await Follower(world.association).follow()
    assert await claimed(world) == [], "a recipient without a webhook is told by letter"
    await hooked(world)
    assert await claimed(world, frozenset({"partner"})) == []
    assert await claimed(world, only="other") == []
    (job,) = await claimed(world)
    assert (job.address, job.attempts) == (HOOK, 0)
    assert await claimed(world) == [], "it is in hand"
    world.clock.now += LEASE
    (again,) = await claimed(world)
    assert again.recall == job.recall, "whoever had it in hand died"
    pauses = []
    for _ in range(12):
        before = world.clock.now
        await world.association.run(partial(outbox.failed, job=again))
        assert await claimed(world) == []
        world.clock.now = rows_of(world, recall_outbox)[0]["due"]
        pauses.append(world.clock.now - before)
        (again,) = await claimed(world)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    await world.association.run(lambda deed: outbox.delivered(deed, again))
    await world.association.run(lambda deed: outbox.delivered(deed, again))
    assert rows_of(world, recall_outbox) == []
    assert recalls(world)[0].told_at == world.clock.now
    assert [entry.kind for entry in world.entries()].count("recall.delivered") == 1


async def test_a_row_that_was_put_there_tells_nobody_anything_and_a_lie_in_one_changes_no_recipient(counter: Counter):
    world = counter.world
    record, consent = await shared(counter)
    await counter.recipient("other")
    await hooked(world)
    await hooked(world, "other")
    await take_back(world, consent)
    await Follower(world.association).follow()
    row = rows_of(world, recall_outbox)[0]
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(recall_outbox).values(recipient="other"))
        connection.execute(insert(recall_outbox).values({**row, "recall": bytes(16)}))
    assert [found for found in doctor(world) if "no recall says so" in found] == [f"recall_outbox {'0' * 32}: no recall says so"]
    jobs = await claimed(world)
    assert [(job.recall.recipient, job.recall.record) for job in jobs] == [("partner", record.hex())]
    assert [row["recall"] for row in rows_of(world, recall_outbox)] == [bytes.fromhex(jobs[0].recall.id)]
    # Its recipient is gone, so there is nobody to send it to, whatever the row says.
    world.clock.now += LEASE
    await hooked(world, revoked_at=world.clock.now)
    assert await claimed(world) == []


def doctor(world: World) -> list[str]:
    with snapshot(world.database, world.association.id) as connection:
        return list(recalled(connection, world.association.cabinet, world.association.id, world.clock.now))


async def test_the_doctor_names_who_has_not_confirmed_and_a_row_that_is_gone(counter: Counter):
    world = counter.world
    _, consent = await shared(counter)
    assert doctor(world) == []
    await take_back(world, consent)
    await Follower(world.association).follow()
    world.clock.forward(3 * 86_400)
    assert doctor(world) == ["recalls: partner has not confirmed 1, the oldest of 3 days ago (GET /v1/recalls)"]
    with world.database.connect() as connection, connection.begin():
        connection.execute(delete(recall_outbox))
    assert [line.partition(" ")[0] for line in doctor(world)] == ["recall_outbox", "recalls:"]
    with world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE rulebook_fact SET version = version + 1 WHERE kind = 'recall'")
    assert doctor(world) == [], "a fact that does not hold is named with the facts"


async def test_the_queue_is_the_officers_and_a_partys_system_sees_and_confirms_its_own(counter: Counter):
    world = counter.world
    record, consent = await shared(counter)
    await counter.recipient("other")
    await take_back(world, consent)
    await correct(world, record, {"mobile": "0551234560"})
    await Follower(world.association).follow()
    for party in ("partner", "other"):
        await counter.system_of(party, scopes=("recalls:confirm",), purposes=("partner_sharing",))
    async with world.front(*ROUTES) as http:
        counter.http = http
        listed = (await counter.ask("officer", "GET", "/recalls")).json()
        assert [(one["recipient"], one["kind"], one["record"]) for one in listed["items"]] == [
            ("partner", "withdrawal", uuid_of(record)),
            ("partner", "correction", uuid_of(record)),
        ]
        first = (await counter.ask("officer", "GET", "/recalls?limit=1")).json()
        assert first["next"] == first["items"][0]["id"]
        rest = (await counter.ask("officer", "GET", f"/recalls?limit=1&after={first['next']}")).json()
        assert ([one["kind"] for one in rest["items"]], rest["next"]) == (["correction"], None)
        own = (await counter.ask("partner", "GET", "/own-recalls")).json()["items"]
        assert own == listed["items"]
        assert (await counter.ask("other", "GET", "/own-recalls")).json()["items"] == []
        assert told(await counter.ask("other", "GET", f"/own-recalls?after={own[0]['id']}")) == (404, "not-found")
        assert told(await counter.ask("officer", "GET", f"/recalls?after={uuid.uuid4()}")) == (404, "not-found")
        destroyed = {"outcome": "destroyed"}
        assert told(await counter.ask("other", "POST", f"/own-recalls/{own[0]['id']}/confirmation", destroyed)) == (404, "not-found")
        assert told(await counter.ask("officer", "POST", f"/recalls/{uuid.uuid4()}/confirmation", destroyed)) == (404, "not-found")
        assert told(await counter.ask("partner", "GET", "/recalls"))[0] == 403
        said = await counter.ask("partner", "POST", f"/own-recalls/{own[0]['id']}/confirmation", destroyed)
        assert (said.status_code, said.json()["outcome"]) == (200, "destroyed")
        again = await counter.ask("officer", "POST", f"/recalls/{own[0]['id']}/confirmation", {"outcome": "kept"})
        assert again.json() == said.json(), "the first word counts"
        noted = await counter.ask("officer", "POST", f"/recalls/{own[1]['id']}/confirmation", {"outcome": "corrected"})
        assert noted.json()["outcome"] == "corrected"
        assert (await counter.ask("officer", "GET", "/recalls")).json()["items"] == []
        assert len((await counter.ask("officer", "GET", "/recalls?state=all")).json()["items"]) == 2
        assert len((await counter.ask("officer", "GET", "/recalls?state=confirmed")).json()["items"]) == 2
    assert rows_of(world, recall_outbox) == []
    assert doctor(world) == []
    confirmed = [entry for entry in world.entries() if entry.kind == "recall.confirmed"]
    assert [(entry.recipient, entry.flags[0]) for entry in confirmed] == [("partner", "destroyed"), ("partner", "corrected")]


SIGNER = Signer("vault.example/probe", Secret(bytes(31) + b"\x07"))
AT = 1_767_254_400
ONE = RecallFact(id="0f" * 16, recipient="partner", what="withdrawal", record="6a" * 16, fields=("mobile",), cause=7, raised_at=0)


async def test_a_message_says_ids_and_a_word_and_is_good_for_five_minutes():
    note = recall_note.written(ONE, "probe", SIGNER, AT)
    assert note.split("\n")[:7] == [
        *("amanah-recall/1", "probe", "partner", str(uuid.UUID(ONE.id)), "withdrawal", str(uuid.UUID(ONE.record)), str(AT))
    ]
    assert "mobile" not in note
    for now in (AT - GOOD_FOR, AT, AT + GOOD_FOR):
        message = recall_note.read(note, SIGNER.vkey, "partner", now)
        assert (message.association, message.recall.hex, message.what, message.record.hex) == ("probe", ONE.id, "withdrawal", ONE.record)
    for changed, vkey, recipient, now, code in (
        (note, SIGNER.vkey, "partner", AT + GOOD_FOR + 1, "recall-stale"),
        (note, SIGNER.vkey, "partner", AT - GOOD_FOR - 1, "recall-stale"),
        (note, SIGNER.vkey, "other", AT, "recall-recipient"),
        (note, Signer("vault.example/probe", Secret(bytes(32))).vkey, "partner", AT, "recall-signature"),
        (note.replace("withdrawal", "correction"), SIGNER.vkey, "partner", AT, "recall-signature"),
        (note + "x" * 5000, SIGNER.vkey, "partner", AT, "recall-malformed"),
        (SIGNER.sign("amanah-recall/1\nprobe\n"), SIGNER.vkey, "partner", AT, "recall-malformed"),
        (SIGNER.sign(f"amanah-recall/1\na\npartner\nid\nwithdrawal\nid\n{AT}\n"), SIGNER.vkey, "partner", AT, "recall-malformed"),
    ):
        with pytest.raises(RecallRefused) as refused:
            recall_note.read(changed, vkey, recipient, now)
        assert refused.value.code == code


async def test_the_register_tells_every_disclosure_in_numbers_and_codes_and_no_cell_is_a_formula(counter: Counter):
    world = counter.world
    record, _ = await shared(counter)
    waits = await counter.requested(record, fields=["mobile", "birth_date"])
    world.clock.forward(1)
    assert (await counter.ask("officer", "POST", f"/disclosures/{waits}/revocation")).status_code == 200
    await counter.ask("officer", "POST", "/disclosures", counter.disclosure(record, recipient="nobody", purpose="nothing"))
    async with world.front(*REGISTER) as http:
        counter.http = http
        answer = await counter.ask("officer", "GET", "/disclosure-register")
        lines = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        table = await counter.ask("officer", "GET", "/disclosure-register?format=csv")
        assert told(await counter.ask("admin", "GET", "/disclosure-register"))[0] == 403
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert [(one["recipient"], one["kind"], one["records"], one["packages"]) for one in lines] == [
        ("partner", "partner", "1", "1"),
        ("partner", "partner", "1", "0"),
        ("", "", "0", "0"),
    ]
    assert (lines[0]["fields"], lines[0]["classes"]) == ("full_name mobile national_id", "contact identity")
    assert (lines[0]["article"], lines[0]["law"], lines[0]["revoked_at"]) == ("cooperative:6.2", "sa-pdpl:15", "")
    assert lines[1]["revoked_at"]
    assert uuid_of(record) not in answer.text
    assert record.hex() not in answer.text
    assert table.headers["content-type"].startswith("text/csv")
    rows = table.content.decode("utf-8-sig").splitlines()
    assert len(rows) == 4
    assert all(not cell.lstrip('"').startswith(("=", "+", "-", "@")) for row in rows for cell in row.split(","))
    assert [entry.count for entry in world.entries() if entry.kind == "disclosures.register-read"] == [3, 3]
