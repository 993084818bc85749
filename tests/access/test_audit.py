"""What an auditor is shown: every entry that was asked for, newest first, page by page; her looking is an entry too."""

import base64
import uuid
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select, update

from tests.access.desk import Desk, rows_of, written
from tests.access.test_silences import joined
from tests.access_log.logs import naive_root
from tests.household import grant, lay_down, store
from tests.simulator import START, World
from vault.access.audit_api import ROUTES
from vault.access_log import tables
from vault.access_log.checkpoint import opened
from vault.access_log.merkle import consistent, included, leaf_hash
from vault.errors import Unauthenticated
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import STAFF
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
LOG = "/v1/access-log"


async def seen(desk: Desk) -> list[dict[str, Any]]:
    """Every entry as the officer sees it, oldest first, by pages of three."""
    found: list[dict[str, Any]] = []
    after: int | None = None
    while True:
        page = (await desk.get(LOG, desk.officer, limit=3, **({} if after is None else {"after": after}))).json()
        found += page["items"]
        after = page["next"]
        if after is None:
            return found[::-1]
        assert after == page["items"][-1]["index"]
        assert len(page["items"]) == 3


async def story(desk: Desk) -> list[bytes]:
    """Two people; one consents and is read, one is refused."""
    world = desk.world
    first, second = await store(world), await store(world)
    world.clock.forward(60)
    await grant(world, first.record)
    await desk.read(first.record)
    await desk.read(second.record)
    return [first.record, second.record]


async def test_pages_show_every_entry_once_newest_first_with_its_leaf(desk: Desk):
    await story(desk)
    stored = rows_of(desk.world, tables.entry)
    found = await seen(desk)
    assert [one["index"] for one in found] == list(range(found[-1]["index"] + 1))
    assert found[-1]["index"] >= len(stored) - 1
    for shown, row in zip(found, stored, strict=False):
        assert shown["leaf_hash"] == leaf_hash(row["body"]).hex()
        assert (shown["kind"], shown["outcome"], shown["actor"]) == (row["kind"], row["outcome"], row["actor"])
        assert (shown.get("purpose"), shown.get("reason"), shown.get("article")) == (row["purpose"], row["reason"], row["article"])
        assert shown["time"] == write_time(row["time"])


async def test_each_filter_shows_its_entries_and_no_other(desk: Desk):
    first, second = await story(desk)
    system = next(entry for entry in desk.world.entries() if entry.kind == "record.read").actor
    everything = await seen(desk)
    middle = START + 30_000_000
    filters: list[tuple[dict[str, Any], Any]] = [
        ({"kind": "record.read"}, lambda one: one["kind"] == "record.read"),
        ({"outcome": "refuse"}, lambda one: one["outcome"] == "refuse"),
        ({"purpose": "service_delivery"}, lambda one: one.get("purpose") == "service_delivery"),
        ({"record": written(first)}, lambda one: one.get("record") == written(first)),
        ({"record": written(second), "outcome": "allow"}, lambda one: one.get("record") == written(second) and one["outcome"] == "allow"),
        ({"actor": system}, lambda one: one["actor"] == system),
        ({"actor": f"client:{uuid.UUID(system[7:])}"}, lambda one: one["actor"] == system),
        ({"from": write_time(middle)}, lambda one: one["time"] >= write_time(middle)),
        ({"to": write_time(middle)}, lambda one: one["time"] < write_time(middle)),
        ({"kind": "no.such"}, lambda _: False),
        ({"actor": "staff:no-such"}, lambda _: False),
    ]
    for query, wanted in filters:
        page = (await desk.get(LOG, desk.officer, limit=500, **query)).json()
        assert page["next"] is None
        last = everything[-1]["index"]
        shown = [one["index"] for one in page["items"] if one["index"] <= last]
        assert shown == [one["index"] for one in everything if wanted(one)][::-1], query
        told = desk.world.entries()[-1]
        assert (told.kind, told.outcome, told.basis, told.count) == ("access_log.read", "allow", "law", len(page["items"])), query
        assert bool(told.about) == ("record" in query)


async def test_bounds_of_time_are_from_inclusive_and_to_exclusive(small_desk: Desk):
    await story(small_desk)
    at = rows_of(small_desk.world, tables.entry)[-1]["time"]
    here = (await small_desk.get(LOG, small_desk.officer, **{"from": write_time(at)})).json()["items"]
    assert here
    before = (await small_desk.get(LOG, small_desk.officer, to=write_time(at))).json()["items"]
    assert before
    assert all(one["time"] < write_time(at) for one in before)
    assert all(one["time"] >= write_time(at) for one in here)


async def test_actor_finds_the_person_at_the_screen_too(small_desk: Desk):
    screen = Errand(replace(await small_desk.world.system(), on_behalf="staff:" + "a" * 32), "r")
    told = screen.entry(kind="decision", outcome="refuse", reason="NO_CONSENT")
    await small_desk.world.association.run(lambda deed: deed.append(told))
    page = (await small_desk.get(LOG, small_desk.officer, actor=f"staff:{uuid.UUID('a' * 32)}")).json()
    assert [one["for"] for one in page["items"]] == ["staff:" + "a" * 32]


@pytest.mark.parametrize("actor", ["nobody", "client:", "person:1", ":"])
async def test_an_actor_of_no_kind_is_refused(small_desk: Desk, actor: str):
    answer = await small_desk.get(LOG, small_desk.officer, actor=actor)
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "actor", "code": "wrong-type"}])


async def test_the_report_of_a_person_names_all_that_names_her_and_itself_next_time(desk: Desk):
    first = (await story(desk))[0]
    path = f"/v1/records/{written(first)}/access-report"
    report = (await desk.get(path, desk.officer)).json()["items"]
    assert [one["kind"] for one in report] == ["record.read", "consent.granted", "record.stored"]
    assert {one["record"] for one in report} == {written(first)}
    told = desk.world.entries()[-1]
    assert (told.kind, told.outcome, told.basis, told.about[0].record) == ("access_report.read", "allow", "law", first)
    page = (await desk.get(path, desk.officer, limit=2)).json()
    assert [one["kind"] for one in page["items"]] == ["access_report.read", "record.read"]
    rest = (await desk.get(path, desk.officer, limit=2, after=page["next"])).json()
    assert [one["kind"] for one in rest["items"]] == ["consent.granted", "record.stored"]
    assert rest["next"] is None
    assert (await desk.get(f"/v1/records/{uuid.UUID(int=7)}/access-report", desk.officer)).status_code == 404
    log = (await desk.get(LOG, desk.officer, record=written(uuid.UUID(int=7).bytes))).json()
    assert log["items"] == []
    assert desk.world.entries()[-1].about == ()


async def test_the_report_of_a_person_of_two_records_names_what_was_done_through_either_once_and_in_order(desk: Desk):
    world = desk.world
    one, other = await store(world), await store(world)
    await joined(world, one.subject, other.subject)
    await grant(world, other.record)
    reports = []
    for record in (one.record, other.record):
        path = f"/v1/records/{written(record)}/access-report"
        page = (await desk.get(path, desk.officer, limit=2)).json()
        items: list[dict[str, Any]] = page["items"]
        while page["next"] is not None:
            page = (await desk.get(path, desk.officer, limit=2, after=page["next"])).json()
            items += page["items"]
        reports.append([each["kind"] for each in items if each["kind"] != "access_report.read"])
    assert reports == [["consent.granted", "merge.approved", "record.stored", "record.stored"]] * 2


async def test_the_system_of_intake_sees_neither_log_nor_proofs(small_desk: Desk):
    paths: tuple[tuple[str, dict[str, Any]], ...] = (
        (LOG, {}),
        (f"{LOG}/checkpoint", {}),
        (f"{LOG}/proofs/inclusion", {"index": 0, "size": 1}),
        (f"{LOG}/proofs/consistency", {"from": 1, "to": 2}),
        (f"{LOG}/tile/0/000", {}),
        (f"/v1/records/{uuid.UUID(int=7)}/access-report", {}),
    )
    for path, query in paths:
        assert (await small_desk.get(path, **query)).status_code == 403, path


async def test_checkpoint_proofs_and_tiles_agree_with_each_other(desk: Desk):
    await story(desk)
    world = desk.world
    note = (await desk.get(f"{LOG}/checkpoint", desk.officer)).text
    signed = opened(note, world.association.cabinet.signer.vkey, world.code)
    leaves = [leaf_hash(row["body"]) for row in rows_of(world, tables.entry)][: signed.size]
    assert signed.root == naive_root(leaves)
    index = signed.size // 2
    proof = (await desk.get(f"{LOG}/proofs/inclusion", desk.officer, index=index, size=signed.size)).json()["hashes"]
    assert included(index, signed.size, leaves[index], [base64.b64decode(one) for one in proof], signed.root)
    proof = (await desk.get(f"{LOG}/proofs/consistency?from=3&to={signed.size}", desk.officer)).json()["hashes"]
    assert consistent(3, signed.size, naive_root(leaves[:3]), signed.root, [base64.b64decode(one) for one in proof])
    tile = await desk.get(f"{LOG}/tile/0/000.p/{signed.size}", desk.officer)
    assert (tile.status_code, tile.content) == (200, b"".join(leaves))
    assert (await desk.get(f"{LOG}/tile/0/x999", desk.officer)).status_code == 404
    beyond = await desk.get(f"{LOG}/proofs/inclusion", desk.officer, index=signed.size + 50, size=signed.size + 60)
    assert beyond.status_code in {404, 422}


async def test_a_bundle_of_entries_is_a_reading_of_the_log_and_hashes_are_none(desk: Desk):
    world = desk.world
    kept = await store(world)
    for number in range(260 - len(world.entries())):
        await desk.read(kept.record, purpose=f"unknown_{number}")
    await desk.get(f"{LOG}/checkpoint", desk.officer)
    size = len(world.entries())
    for path in ("tile/0/000", "proofs/inclusion?index=3&size=200", "proofs/consistency?from=100&to=200", "checkpoint"):
        assert (await desk.http.get(f"{LOG}/{path}", headers={"Authorization": f"Bearer {desk.officer}"})).status_code == 200
    assert len(world.entries()) == size
    admin = await world.session("admin")
    size = len(world.entries())
    assert (await desk.get(f"{LOG}/tile/entries/000", admin)).status_code == 200
    (told,) = world.entries()[size:]
    assert (told.kind, told.outcome, told.count, told.basis) == ("access_log.read", "allow", 256, "law")
    assert told.actor == f"staff:{(await world.person('admin')).id}"
    assert (await desk.get(f"{LOG}/tile/entries/000.p/7", desk.officer)).status_code == 200
    assert world.entries()[-1].count == 7
    size = len(world.entries())
    assert (await desk.get(f"{LOG}/tile/entries/123", desk.officer)).status_code == 404
    assert len(world.entries()) == size, "of what is not there nothing was read"


async def test_who_was_ended_meanwhile_gets_no_proof(small_desk: Desk):
    world = small_desk.world
    officer = await world.person("officer")
    book = await world.association.refresh()
    route = next(route for route in ROUTES if route.name == "access_log.checkpoint")
    call = world.call(route)
    call.caller = officer
    assert (await route.handler(call)).body.startswith("amanah")
    member = book.staff[officer.id]
    await lay_down(world, STAFF, officer.id, msgspec.structs.replace(member, active=False))
    for name in ("access_log.checkpoint", "access_log.inclusion", "access_log.consistency", "access_log.tile"):
        late = next(route for route in ROUTES if route.name == name)
        call = world.call(late, path={"tile": "0/000.p/1"})
        call.caller, call.query = officer, {"index": 0, "size": 1, "from": 1, "to": 1}
        with pytest.raises(Unauthenticated):
            await late.handler(call)


async def test_an_entry_whose_bytes_are_none_is_an_alarm_and_no_page(small_desk: Desk):
    world: World = small_desk.world
    await story(small_desk)
    last = len(world.entries()) - 1
    with world.database.connect() as connection, connection.begin():
        was = connection.execute(select(tables.entry.c.body).where(tables.entry.c.number == last)).scalar_one()
        connection.execute(update(tables.entry).where(tables.entry.c.number == last).values(body=b"{}"))
    answer = await small_desk.get(LOG, small_desk.officer)
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(tables.entry).where(tables.entry.c.number == last).values(body=was))
    again = await small_desk.get(LOG, small_desk.officer, limit=1)
    assert again.status_code == 200, again.text
    shown = again.json()["items"][0]
    assert (shown["kind"], shown["outcome"], shown["reason"], shown["article"]) == ("alarm", "error", "INTEGRITY", "cooperative:7")
    assert "record" not in shown


async def test_a_log_with_a_hole_is_an_alarm_to_who_asks_for_days(small_desk: Desk):
    await story(small_desk)
    world = small_desk.world
    middle = len(world.entries()) // 2
    with world.database.connect() as connection, connection.begin():
        connection.execute(delete(tables.entry).where(tables.entry.c.number == middle))
    answer = await small_desk.get(LOG, small_desk.officer, **{"from": write_time(world.clock.now - 1)})
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")


async def test_from_and_to_name_exactly_the_entries_between(desk: Desk):
    await story(desk)
    times = [entry["time"] for entry in (await desk.get(LOG, desk.officer, limit=500)).json()["items"]]
    for at in sorted(set(times)):
        since = (await desk.get(LOG, desk.officer, limit=500, **{"from": at})).json()["items"]
        until = (await desk.get(LOG, desk.officer, limit=500, to=at)).json()["items"]
        assert all(one["time"] >= at for one in since)
        assert all(one["time"] < at for one in until)
        told = {one["index"] for one in since} | {one["index"] for one in until}
        assert told >= set(range(len(times)))
