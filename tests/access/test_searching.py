"""Searching: found however it was typed, told only where an article lets it, and every search an entry that holds no value."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, insert, select, update

from keys.keyring import AssociationKeys
from tests.access.desk import Desk, rows_of, written
from tests.household import FATIMA, asked, errand, findings, grant, lay_down, store, withdraw
from tests.journeys.served import national_id
from tests.simulator import World
from vault.access import lookups, searching
from vault.access.searching import Sought, search
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.errors import Unavailable
from vault.policy.events import Locked, Restricted, SubjectDeceased
from vault.records import index, service
from vault.records import tables as record_tables
from vault.records.service import Kept
from vault.rulebook.shapes import CLIENT
from vault.storage.transaction import Hot
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.sheet import happened

pytestmark = pytest.mark.asyncio(loop_scope="function")
NUMBER = FATIMA["national_id"]
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
RNG = random.Random("searching")


async def somebody(world: World, fields: dict[str, Any] | None = None) -> Kept:
    """A record whose person agreed to service delivery with name, number and mobile."""
    kept = await store(world, fields)
    world.clock.forward(60)
    await grant(world, kept.record)
    return kept


def body(
    value: object = NUMBER, field: str = "national_id", purpose: str = "service_delivery", type_: str = "beneficiary"
) -> dict[str, Any]:
    return {"type": type_, "field": field, "value": value, "purpose": purpose}


async def found(desk: Desk, *args: Any, **more: Any) -> list[str]:
    answer = await desk.post("/v1/records/search", body(*args, **more))
    assert answer.status_code == 200, answer.text
    return [match["id"] for match in answer.json()["matches"]]


async def happens(world: World, kept: Kept, event: Any) -> None:
    """Write an event of the articles to this person's sheet."""
    job = await errand(world)

    def unit(deed: Deed) -> None:
        known = people.of_subject(deed, kept.subject)
        told = job.entry(kind="test.happened", outcome="allow")
        people.change(deed, known, [happened(event, at=deed.now, by="test")], told, record=kept.record)

    await world.association.run(unit)


def last(world: World) -> Entry:
    return world.entries()[-1]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("national_id", NUMBER),
        ("national_id", NUMBER.translate(ARABIC)),
        ("national_id", f"\u200f{NUMBER[:4]} {NUMBER[4:]} "),
        ("mobile", "0551234567"),
        ("mobile", "+966 55 123 4567"),
        ("mobile", "٠٥٥١٢٣٤٥٦٧"),
        ("mobile", "966551234567"),
        ("full_name", "فاطمة بنت خالد الشمري"),
        ("full_name", "فاطمه  خالد الشّمري"),
    ],
)
async def test_it_is_found_however_it_is_typed(small_desk: Desk, field: str, value: str):
    kept = await somebody(small_desk.world)
    await somebody(small_desk.world, {"full_name": "علي حسن", "national_id": "1000000016", "mobile": "0557654321"})
    assert await found(small_desk, value, field) == [written(kept.record)]


async def test_a_search_is_an_entry_that_names_field_count_and_whom_it_found_and_no_value(desk: Desk):
    kept = await somebody(desk.world)
    await somebody(desk.world, {"full_name": "علي حسن", "national_id": "1000000016"})
    assert await found(desk) == [written(kept.record)]
    told = last(desk.world)
    assert (told.kind, told.outcome, told.purpose, told.fields) == ("record.search", "allow", "service_delivery", ("national_id",))
    assert (told.basis, told.article, told.count) == ("electronic_consent", "cooperative:6.1", 2)
    assert [(about.subject, about.record, about.version) for about in told.about] == [(kept.subject, kept.record, None)]
    assert await found(desk, national_id(RNG)) == []
    assert (last(desk.world).outcome, last(desk.world).basis, last(desk.world).about) == ("allow", "none", ())
    with desk.world.database.connect() as connection:
        bodies = connection.exec_driver_sql("SELECT body FROM access_log_entry").scalars().all()
    assert not any(NUMBER.encode() in bytes(content) for content in bodies)


async def test_no_cell_is_opened_by_a_search(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    kept = await somebody(desk.world)
    monkeypatch.setattr("keys.container._plaintexts", None)
    assert await found(desk) == [written(kept.record)]
    answer = await desk.read(kept.record)
    assert answer.status_code == 503  # the door, which does open, shows that the wall above is where cells are opened


async def test_nobody_and_nobody_one_may_know_of_are_one_answer_and_the_refusal_is_an_entry(desk: Desk):
    kept = await store(desk.world)
    hidden = await desk.post("/v1/records/search", body())
    told = last(desk.world)
    nobody = await desk.post("/v1/records/search", body(national_id(RNG)))
    assert (hidden.status_code, hidden.content) == (nobody.status_code, nobody.content) == (200, b'{"matches":[]}')
    assert (told.outcome, told.reason, told.basis) == ("refuse", "NO_CONSENT", "none")
    assert [about.record for about in told.about] == [kept.record]


async def test_consent_to_one_field_does_not_let_another_be_searched(small_desk: Desk):
    kept = await store(small_desk.world)
    small_desk.world.clock.forward(60)
    await grant(small_desk.world, kept.record, await asked(small_desk.world, fields=frozenset({"full_name"})))
    assert await found(small_desk, FATIMA["full_name"], "full_name") == [written(kept.record)]
    assert await found(small_desk) == []
    assert last(small_desk.world).reason == "FIELDS_NOT_COVERED"


async def test_a_withdrawal_and_a_lock_end_being_found(desk: Desk):
    world = desk.world
    kept = await store(world)
    world.clock.forward(60)
    consent = await grant(world, kept.record)
    assert await found(desk) == [written(kept.record)]
    await withdraw(world, consent.id)
    assert await found(desk) == []
    other = await somebody(world, {"full_name": "علي حسن", "national_id": "1000000016", "mobile": "0557654321"})
    assert await found(desk, "1000000016") == [written(other.record)]
    await happens(world, other, Locked(world.clock.now))
    assert await found(desk, "1000000016") == []
    assert await found(desk, "1000000016", purpose="intake") == []
    assert last(world).reason == "ERASURE_PENDING"


async def test_searches_that_race_a_withdrawal_are_decided_in_their_transaction(desk: Desk):
    world = desk.world
    kept = await store(world)
    world.clock.forward(60)
    consent = await grant(world, kept.record)
    job, sought = await errand(world), Sought("beneficiary", "national_id", NUMBER, "service_delivery")

    async def one() -> None:
        await world.association.run(lambda deed: search(deed, job, sought))

    await asyncio.gather(*(one() for _ in range(8)), withdraw(world, consent.id), *(one() for _ in range(8)))
    entries = world.entries()
    end = next(number for number, entry in enumerate(entries) if entry.kind == "consent.withdrawn")
    about = [(number, entry) for number, entry in enumerate(entries) if entry.kind == "record.search" and entry.about]
    assert {entry.outcome for number, entry in about if number < end} <= {"allow"}
    assert {entry.outcome for number, entry in about if number > end} == {"refuse"}


@pytest.mark.parametrize(
    ("changes", "code", "article"),
    [
        ({"purpose": "no_such_purpose"}, "unknown-purpose", "cooperative:1"),
        ({"field": "no_such_field"}, "unknown-field", "cooperative:1"),
        ({"type_": "no_such_type"}, "unknown-field", "cooperative:1"),
        ({"purpose": "subject_request"}, "out-of-scope", "cooperative:1"),
        ({"purpose": "legal_order"}, "not-permitted", "cooperative:4"),
    ],
)
async def test_what_may_be_asked_about_nobody_is_a_refusal_with_its_entry(
    small_desk: Desk, changes: dict[str, str], code: str, article: str
):
    await somebody(small_desk.world)
    answer = await small_desk.post("/v1/records/search", body(**changes))
    assert (answer.status_code, answer.json()["code"], answer.json()["article"]) == (403, code, article)
    told = last(small_desk.world)
    assert (told.kind, told.outcome, told.about) == ("record.search", "refuse", ())
    assert "no_such" not in str(told)


@pytest.mark.parametrize(
    ("changes", "member", "code"),
    [
        ({"field": "iban", "value": "SA0380000000608010167519"}, "field", "not-searchable"),
        ({"field": "gender", "value": "female"}, "field", "not-searchable"),
        ({"value": "1000000009"}, "value", "check-digit"),
        ({"value": ["1000000008"]}, "value", "wrong-type"),
        ({"value": None}, "value", "wrong-type"),
        ({"field": "full_name", "value": "908070605040302010"}, "value", "not-a-name"),
    ],
)
async def test_what_nobody_can_be_found_by_is_422_and_not_told_back(small_desk: Desk, changes: dict[str, Any], member: str, code: str):
    before = len(small_desk.world.entries())
    answer = await small_desk.post("/v1/records/search", body(**changes))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": member, "code": code}]
    assert str(changes.get("value")) not in answer.text
    assert len(small_desk.world.entries()) == before


async def test_intake_finds_ids_without_a_basis_and_suggests_like_names(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    like = await store(world, {"full_name": "فاطمة خالد شمري", "national_id": "1000000016"})
    world.clock.forward(90_000)
    answer = await desk.post("/v1/records/search", body(FATIMA["full_name"], "full_name", "intake"))
    assert answer.json() == {"matches": [{"id": written(kept.record)}], "suggestions": [{"id": written(like.record)}]}
    suggested, exact = world.entries()[-1], world.entries()[-2]
    assert (exact.outcome, exact.basis, exact.flags, exact.about[0].record) == ("allow", "law", (), kept.record)
    assert suggested.flags == ("suggested",)
    assert (await desk.post("/v1/records/search", body(purpose="intake"))).json() == {"matches": [{"id": written(kept.record)}]}
    assert (await desk.post("/v1/records/search", body(FATIMA["full_name"], "full_name"))).json().keys() == {"matches"}
    assert (await desk.read(kept.record, purpose="intake")).status_code == 403


@pytest.mark.parametrize("event", [Restricted(0), SubjectDeceased(0)], ids=["restricted", "deceased"])
async def test_intake_does_not_tell_of_the_dead_and_the_contested(small_desk: Desk, event: Any):
    kept = await store(small_desk.world)
    await happens(small_desk.world, kept, event)
    assert await found(small_desk, purpose="intake") == []


async def test_intake_is_a_scope_of_its_own(small_desk: Desk):
    world = small_desk.world
    await store(world)
    book = await world.association.refresh()
    key, client = next(iter(book.clients.items()))
    scopes = tuple(scope for scope in client.scopes if scope != "intake")
    await lay_down(world, CLIENT, key, replace(client, scopes=scopes))
    answer = await small_desk.post("/v1/records/search", body(purpose="intake"))
    assert (answer.status_code, answer.json()["code"]) == (403, "out-of-scope")
    scopes = tuple(scope for scope in scopes if scope != "records:search")
    await lay_down(world, CLIENT, key, replace(client, scopes=scopes))
    assert (await small_desk.post("/v1/records/search", body())).status_code == 403


async def test_who_finds_nobody_too_often_is_shut_out_and_the_alarm_rings(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = small_desk.world
    monkeypatch.setattr(lookups, "MISSES", 3)
    kept = await somebody(world)
    for _ in range(4):
        assert await found(small_desk, national_id(RNG)) == []
    alarm = last(world)
    assert (alarm.kind, alarm.outcome, alarm.reason, alarm.count) == ("alarm", "error", "SEARCH_ENUMERATION", 3)
    shut = await small_desk.post("/v1/records/search", body())
    assert (shut.status_code, shut.json()["code"]) == (429, "too-many-requests")
    world.clock.forward(float(shut.headers["retry-after"]))
    assert await found(small_desk) == [written(kept.record)]


async def test_who_may_not_be_known_counts_as_nobody(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lookups, "MISSES", 2)
    await store(small_desk.world)
    for _ in range(3):
        assert await found(small_desk) == []
    assert (await small_desk.post("/v1/records/search", body())).status_code == 429


async def test_searches_are_bounded_whatever_they_find(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lookups, "BURST", 2)
    kept = await somebody(small_desk.world)
    assert [await found(small_desk) for _ in range(2)] == [[written(kept.record)]] * 2
    assert (await small_desk.post("/v1/records/search", body())).status_code == 429


async def test_an_alarm_that_cannot_be_written_shuts_the_caller_out_all_the_same(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lookups, "MISSES", 1)

    def broken(*_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(lookups, "_tell", broken)
    assert [await found(small_desk, national_id(RNG)) for _ in range(2)] == [[], []]
    assert (await small_desk.post("/v1/records/search", body())).status_code == 429


async def test_one_person_found_through_two_records_is_named_in_two_entries(small_desk: Desk):
    world = small_desk.world
    first = await store(world)
    second = await store(world, known=first.subject)
    answer = await small_desk.post("/v1/records/search", body(purpose="intake"))
    assert {match["id"] for match in answer.json()["matches"]} == {written(first.record), written(second.record)}
    assert {about.record for entry in world.entries()[-2:] for about in entry.about} == {first.record, second.record}


async def test_nobody_is_hidden_by_however_many_that_may_not_be_told_of(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(searching, "MOST_MATCHES", 2)
    world = desk.world
    kept = await somebody(world)
    assert await found(desk) == [written(kept.record)]
    assert [entry for entry in world.entries() if entry.kind == "alarm"] == []
    for _ in range(3):
        await store(world)
    assert await found(desk) == [written(kept.record)]
    alarm, told, refused = world.entries()[-3:]
    assert (alarm.kind, alarm.outcome, alarm.reason, alarm.count, alarm.fields) == ("alarm", "error", "SEARCH_CROWDED", 4, ("national_id",))
    assert (alarm.about, [each.record for each in told.about], len(refused.about)) == ((), [kept.record], 2)


async def test_of_a_value_that_more_share_only_so_many_are_told_of(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(searching, "MOST_MATCHES", 1)
    all_of_them = sorted([(await somebody(small_desk.world)).record for _ in range(2)])
    assert await found(small_desk) == [written(all_of_them[0])]
    assert [each.record for each in last(small_desk.world).about] == all_of_them[:1]


async def test_more_rows_of_one_value_than_a_lookup_looks_at_find_nobody_and_ring(desk: Desk):
    world, token = desk.world, record_tables.token
    await somebody(world)
    own = next(row for row in rows_of(world, token) if row["field_id"] == 2)
    with world.database.connect() as connection, connection.begin():
        copies = [{**own, "record": number.to_bytes(16, "big")} for number in range(record_tables.MOST_CANDIDATES)]
        connection.execute(insert(token), copies)
    assert await found(desk) == []
    alarm, told = world.entries()[-2:]
    assert (alarm.kind, alarm.reason, alarm.count) == ("alarm", "SEARCH_CROWDED", record_tables.MOST_CANDIDATES + 1)
    assert (told.count, told.about) == (record_tables.MOST_CANDIDATES + 1, ())


async def test_an_updated_value_is_found_and_the_old_one_is_not(desk: Desk):
    world = desk.world
    kept = await somebody(world)
    job = await errand(world)
    await world.association.run(lambda deed: service.update(deed, job, kept.record, 1, {"mobile": "0559999999", "email": "a@example.org"}))
    assert await found(desk, "0559999999", "mobile") == [written(kept.record)]
    assert await found(desk, "0551234567", "mobile") == []
    assert await found(desk) == [written(kept.record)]
    assert findings(world) == []


async def test_what_a_person_lacks_cannot_be_seen_in_the_tokens(desk: Desk):
    has, lacks = await store(desk.world), await store(desk.world, {"full_name": "علي حسن", "identity_note": "لا يحمل وثيقة"})
    rows: dict[bytes, list[tuple[int, int, int]]] = {record: [] for record in (has.record, lacks.record)}
    for row in rows_of(desk.world, record_tables.token):
        rows[bytes(row["record"])].append((row["field_id"], row["token"] >> 32, len(row["proof"])))
    assert rows[has.record] == rows[lacks.record]
    assert len(rows[has.record]) == 4
    drawn = [row["proof"] for row in rows_of(desk.world, record_tables.token)]
    assert len({bytes(proof) for proof in drawn}) == len(drawn)


async def test_lying_rows_lose_a_match_or_are_caught_and_never_give_another(desk: Desk):
    """Every way to lie by SQL about who has a value: altered, copied, exchanged, put back, deleted, inserted."""
    world, token = desk.world, record_tables.token
    kept = await somebody(world)
    other = await somebody(world, {"full_name": "علي حسن", "national_id": "1000000016", "mobile": "0557654321"})
    job = await errand(world)
    before = rows_of(world, token)
    await world.association.run(lambda deed: service.update(deed, job, kept.record, 1, {"national_id": "1000000024"}))
    after = rows_of(world, token)

    def row_of(record: bytes, rows: list[dict[str, Any]] = after) -> dict[str, Any]:
        return next(row for row in rows if bytes(row["record"]) == record and row["field_id"] == 2)

    mine, theirs = row_of(kept.record), row_of(other.record)
    lies: dict[str, list[Any]] = {
        "deleted": [delete(token).where(token.c.record == kept.record)],
        "one deleted": [delete(token).where(token.c.record == kept.record, token.c.field_id == 7)],
        "copied to another": [_set(other.record, mine)],
        "exchanged": [_set(other.record, mine), _set(kept.record, theirs)],
        "put back": [_set(kept.record, row_of(kept.record, before))],
        "longer check": [_set(kept.record, {**mine, "proof": bytes(mine["proof"]) + b"\0"})],
        "another field's": [insert(token).values(**{**mine, "field_id": 9})],
        "of no record": [insert(token).values(**{**mine, "record": b"x" * 16})],
        "another key": [update(subject_tables.data_key).where(subject_tables.data_key.c.subject == kept.subject).values(wrapped=b"x" * 70)],
    }
    sound = {NUMBER: set(), "1000000016": {written(other.record)}, "1000000024": {written(kept.record)}}
    for what, deeds in lies.items():
        keys = rows_of(world, subject_tables.data_key)
        _do(world, deeds)
        assert findings(world), what
        for value, who in sound.items():
            answer = await desk.post("/v1/records/search", body(value))
            assert answer.status_code in (200, 503), what
            if answer.status_code == 200:
                assert {match["id"] for match in answer.json()["matches"]} <= who, what
            else:
                assert last(world).kind == "alarm", what
        _do(
            world,
            [delete(token), insert(token).values(after), delete(subject_tables.data_key), insert(subject_tables.data_key).values(keys)],
        )
    assert findings(world) == []
    assert await found(desk, "1000000024") == [written(kept.record)]


def _set(record: bytes, row: dict[str, Any]) -> Any:
    token = record_tables.token
    return update(token).where(token.c.record == record, token.c.field_id == 2).values(token=row["token"], proof=row["proof"])


def _do(world: World, deeds: list[Any]) -> None:
    with world.database.connect() as connection, connection.begin():
        for deed in deeds:
            connection.execute(deed)


async def test_a_match_whose_sheet_does_not_hold_is_an_alarm(desk: Desk):
    kept = await somebody(desk.world)
    await somebody(desk.world, {"full_name": "علي حسن", "national_id": "1000000016"})
    sheet = subject_tables.sheet
    _do(desk.world, [update(sheet).where(sheet.c.subject == kept.subject).values(sealed=b"x")])
    answer = await desk.post("/v1/records/search", body())
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    assert last(desk.world).kind == "alarm"
    assert await found(desk, national_id(RNG)) == []  # whoever is not meant does not keep others from searching


async def test_a_candidate_whose_sheet_does_not_hold_keeps_nobody_from_searching_for_others(small_desk: Desk):
    await somebody(small_desk.world)
    _do(small_desk.world, [update(subject_tables.sheet).values(sealed=b"x")])
    assert await found(small_desk, national_id(RNG)) == []


async def test_an_update_does_not_carry_a_lying_row_on(desk: Desk):
    world, token = desk.world, record_tables.token
    kept = await somebody(world)
    _do(world, [delete(token).where(token.c.record == kept.record, token.c.field_id == 2)])
    job = await errand(world)
    with pytest.raises(Unavailable):
        await world.association.run(lambda deed: service.update(deed, job, kept.record, 1, {"mobile": "0559999999"}))


async def test_a_column_of_a_foreign_type_loses_a_match_and_is_named(small_desk: Desk):
    world = small_desk.world
    await somebody(world)
    for column in ("token = 'x'", "proof = 'x'", "proof = 5", "token = -1"):
        rows = rows_of(world, record_tables.token)
        with world.database.connect() as connection, connection.begin():
            connection.exec_driver_sql(f"UPDATE record_token SET {column} WHERE field_id = 2")  # noqa: S608 - our own text
        assert findings(world), column
        answer = await small_desk.post("/v1/records/search", body())
        assert (answer.status_code, answer.content) == (200, b'{"matches":[]}'), column
        _do(world, [delete(record_tables.token), insert(record_tables.token).values(rows)])


async def test_records_of_every_generation_are_found_without_an_index_made_again(small: World, monkeypatch: pytest.MonkeyPatch):
    sizes = iter((3, 20, 90, 5_000, 2_000_000))
    numbers = [national_id(RNG) for _ in range(5)]
    monkeypatch.setattr(index, "population", lambda _deed: next(sizes))
    kept = [await store(small, {"full_name": "علي حسن", "national_id": number}) for number in numbers]
    with small.database.connect() as connection:
        versions = connection.execute(select(record_tables.token.c.token).where(record_tables.token.c.field_id == 2)).scalars().all()
    assert sorted((token >> 32) & 0xFF for token in versions) == [0, 2, 4, 10, 18]
    job = await errand(small)
    for number, one in zip(numbers, kept, strict=True):
        sought = Sought("beneficiary", "national_id", number, "intake")
        assert (await small.association.run(partial(search, errand=job, sought=sought))).matches == (one.record,)


async def test_attack_49_a_search_reads_and_unwraps_as_much_for_a_value_that_nobody_has(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    world = desk.world
    for number in ("1000000016", "1000000024", "1000000032"):
        await store(world, {**FATIMA, "national_id": number})
    work: list[str] = []
    rows, unwrap = Hot.rows, AssociationKeys.unwrap

    def counted_rows(self: Hot, *args: Any) -> Any:
        work.append("read")
        return rows(self, *args)

    def counted_unwrap(self: AssociationKeys, *args: Any) -> Any:
        work.append("unwrap")
        return unwrap(self, *args)

    monkeypatch.setattr(Hot, "rows", counted_rows)
    monkeypatch.setattr(AssociationKeys, "unwrap", counted_unwrap)
    done = []
    for number in ("1000000016", "1000000115"):  # somebody's who agreed to nothing, and nobody's
        work.clear()
        assert await found(desk, number) == []
        done.append(sorted(work))
    assert done[0] == done[1]
    assert done[0].count("unwrap") >= 3
