"""Officers see alerts, say what each was, and two of them declare the thresholds."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.access.desk import Desk, written
from tests.access.test_watching import alerts, declare, fired
from tests.household import FATIMA, lay_down, store
from tests.simulator import World
from vault.access import alerts as desk_of_alerts
from vault.access.alert_facts import DETECTION, OWN
from vault.access.detection import DetectionFact
from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed as LoggedDeed
from vault.access_log.entry import About, Entry
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.rulebook import facts
from vault.subjects import tables
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
ALERTS = "/v1/alerts"
DETECTION_PATH = "/v1/detection"


async def raised(desk: Desk, count: int = 1) -> None:
    """So many alerts of one rule, one an hour."""
    await declare(desk.world, people_an_hour_systems=1)
    kept = [await store(desk.world) for _ in range(2)]
    for _ in range(count):
        desk.world.clock.forward(3600)
        for one in kept:
            await desk.read(one.record)
    assert await fired(desk.world) == ["bulk"] * count


async def listed(desk: Desk, token: str | None = None, **query: Any) -> dict[str, Any]:
    answer = await desk.get(ALERTS, token or desk.officer, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def put(desk: Desk, body: dict[str, Any], token: str | None = None) -> Any:
    return await desk.http.put(DETECTION_PATH, json=body, headers=desk._by(token or desk.officer))


@contextmanager
def spoiled(world: World, number: int) -> Iterator[None]:
    """Bytes in the place of an entry's that are no entry's, for a while."""
    place = log_tables.entry
    here = (place.c.association_id == world.association.id, place.c.number == number)
    with world.database.connect() as connection, connection.begin():
        kept = connection.execute(select(place.c.body).where(*here)).scalar()
        connection.execute(update(place).where(*here).values(body=b"{}"))
    yield
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(place).where(*here).values(body=kept))


async def in_force(world: World) -> DetectionFact | None:
    found = await world.association.run(lambda deed: facts.read(deed, DETECTION, OWN))
    return None if found is None else found.rules


async def test_an_officer_sees_what_was_found_on_which_entries_and_why_and_her_look_is_an_entry(desk: Desk):
    world = desk.world
    await raised(desk)
    found = await listed(desk, state="unreviewed")
    [alert] = found["items"]
    reads = [number for number, entry in enumerate(world.entries()) if entry.kind == "record.read"]
    assert found["next"] is None
    assert alert["entries"] == reads
    assert (alert["rule"], alert["threshold"], alert["state"], alert["reason"]) == ("bulk", 1, "unreviewed", None)
    assert (alert["actor"], alert["reviewed_by"], alert["reviewed_at"]) == (world.entries()[reads[0]].actor, None, None)
    assert alert["raised_at"] == write_time(world.clock.now)
    assert "threshold of 1" in alert["say"]["en"]
    assert "وهو 1" in alert["say"]["ar"]
    told = world.entries()[-1]
    assert (told.kind, told.outcome, told.count) == ("alerts.read", "allow", 1)
    assert (await desk.get(ALERTS)).status_code == 403, "no system"
    assert (await desk.get(ALERTS, await world.session("admin"))).status_code == 403


async def test_an_alert_about_a_case_is_kept_from_whom_it_excludes_and_counted(desk: Desk):
    world = desk.world
    await raised(desk)
    officer, case = (await world.person("officer")).id, uuid.uuid4()
    told = Entry(kind="incident.clock", outcome="error", actor="system", about=(About(case.bytes, case.bytes),), count=24)
    await world.association.run(lambda deed: deed.append(told))
    await lay_down(world, EXCLUSIONS, officer, ExclusionsFact(cases=(case.hex,)))
    assert await fired(world) == ["bulk", "breach_clock"]
    second = await world.session("second_officer")
    others = await listed(desk, second)
    assert ([one["rule"] for one in others["items"]], others["withheld"]) == (["breach_clock", "bulk"], 0)
    assert (others["items"][0]["threshold"], "24" in others["items"][0]["say"]["en"]) == (24, True)
    mine = await listed(desk)
    assert ([one["rule"] for one in mine["items"]], mine["withheld"]) == (["bulk"], 1)
    hidden = others["items"][0]["id"]
    assert (await desk.post(f"{ALERTS}/{hidden}/review", {"reason": "explained"}, desk.officer)).status_code == 404
    assert (await desk.post(f"{ALERTS}/{hidden}/review", {"reason": "explained"}, second)).status_code == 200


async def test_a_review_is_an_entry_with_its_reason_and_made_once(desk: Desk):
    world = desk.world
    await raised(desk, 2)
    last, first = [one["id"] for one in (await listed(desk))["items"]]
    answer = await desk.post(f"{ALERTS}/{first}/review", {"reason": "explained"}, desk.officer)
    officer = f"staff:{(await world.person('officer')).id}"
    assert (answer.status_code, answer.json()["state"], answer.json()["reviewed_by"]) == (200, "reviewed", officer)
    told = next(entry for entry in reversed(world.entries()) if entry.kind == "alert.reviewed")
    assert (told.actor, told.outcome, told.reason, told.article) == (officer, "allow", "EXPLAINED", "cooperative:7")
    assert [one["id"] for one in (await listed(desk, state="unreviewed"))["items"]] == [last]
    [reviewed] = (await listed(desk, state="reviewed"))["items"]
    assert (reviewed["id"], reviewed["reason"]) == (first, "explained")
    assert reviewed["reviewed_at"]
    again = await desk.post(f"{ALERTS}/{first}/review", {"reason": "misuse"}, desk.officer)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await desk.post(f"{ALERTS}/{uuid.uuid4()}/review", {"reason": "test"}, desk.officer)).status_code == 404
    for body in ({"reason": "because"}, {}):
        assert (await desk.post(f"{ALERTS}/{last}/review", body, desk.officer)).status_code == 422
    assert [one.rule for one in await alerts(world)] == ["bulk", "bulk"]


async def test_nobody_reviews_an_alert_about_her_own_deeds(desk: Desk):
    world = desk.world
    kept = await store(world)
    body = {
        "record": written(kept.record),
        "action": "use",
        "purpose": "service_delivery",
        "recipient": "INTERNAL",
        "fields": ["full_name"],
    }
    assert (await desk.post("/v1/decisions", body, desk.officer)).status_code == 200
    assert await fired(world) == ["off_hours"]
    [alert] = (await listed(desk))["items"]
    answer = await desk.post(f"{ALERTS}/{alert['id']}/review", {"reason": "explained"}, desk.officer)
    assert (answer.status_code, answer.json()["code"]) == (403, "same-person")
    assert (world.entries()[-1].kind, world.entries()[-1].outcome) == ("alert.reviewed", "refuse")
    assert [one.state for one in await alerts(world)] == ["unreviewed"]


async def test_nobody_reviews_what_rests_on_her_own_deeds_whoever_fired_it(desk: Desk):
    world = desk.world
    person, officer = uuid.uuid4().bytes, f"staff:{(await world.person('officer')).id}"
    hers = Entry(kind="record.asked", outcome="allow", actor="client:01", on_behalf=officer, about=(About(person, person),))
    for told in [hers] * 10 + [replace(hers, on_behalf=None)]:
        await world.association.log.append(told)
    assert [rule for rule in await fired(world) if rule == "questions"] == ["questions"]
    alert = next(one for one in (await listed(desk))["items"] if one["rule"] == "questions")
    assert alert["actor"] == "client:01"
    answer = await desk.post(f"{ALERTS}/{alert['id']}/review", {"reason": "explained"}, desk.officer)
    assert (answer.status_code, answer.json()["code"]) == (403, "same-person")
    second = await world.session("second_officer")
    with spoiled(world, alert["entries"][0]):
        assert (await desk.post(f"{ALERTS}/{alert['id']}/review", {"reason": "explained"}, second)).status_code == 503
    assert (await desk.post(f"{ALERTS}/{alert['id']}/review", {"reason": "explained"}, second)).status_code == 200


async def test_who_wrote_a_withdrawal_down_may_review_what_came_after_it(small_desk: Desk):
    world = small_desk.world
    person, officer = uuid.uuid4().bytes, f"staff:{(await world.person('officer')).id}"
    withdrawn = Entry(kind="consent.withdrawn", outcome="allow", actor=officer, about=(About(person, person),))
    for told in (withdrawn, Entry(kind="record.read", outcome="refuse", actor="client:01", about=(About(person, person),))):
        await world.association.log.append(told)
    assert "after_withdrawal" in await fired(world)
    alert = next(one for one in (await listed(small_desk))["items"] if one["rule"] == "after_withdrawal")
    assert len(alert["entries"]) == 2
    assert (await small_desk.post(f"{ALERTS}/{alert['id']}/review", {"reason": "explained"}, small_desk.officer)).status_code == 200


async def test_alerts_come_page_by_page_newest_first(small_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk = small_desk
    await raised(desk, 3)
    every = [one["id"] for one in (await listed(desk))["items"]]
    assert every == sorted(every, reverse=True)
    page = await listed(desk, limit=2)
    rest = await listed(desk, limit=2, after=page["next"])
    assert ([one["id"] for one in page["items"] + rest["items"]], rest["next"]) == (every, None)
    monkeypatch.setattr(desk_of_alerts, "MOST_LOOKED_AT", 2)
    short = await listed(desk, state="reviewed")
    assert (short["items"], short["next"] is None) == ([], False)
    assert len((await listed(desk, after=short["next"]))["items"]) == 1


async def test_thresholds_and_canaries_are_in_force_once_another_person_approved_them(desk: Desk):
    world = desk.world
    kept = await store(world, FATIMA)
    second = await world.session("second_officer")
    usual = (await desk.get(DETECTION_PATH, second)).json()
    assert (usual["proposed"], usual["in_force"]["people_an_hour"], usual["in_force"]["opens"]) == (None, 50, 7)
    assert usual["in_force"]["days"] == ["sunday", "monday", "tuesday", "wednesday", "thursday"]
    assert world.entries()[-1].kind == "detection.read"
    wanted = {"people_an_hour": 9, "holidays": ["2026-09-23"], "canaries": [written(kept.record)] * 2}
    answer = await put(desk, wanted)
    assert (answer.status_code, answer.json()["state"]) == (200, "proposed")
    proposal = answer.json()["proposal"]
    told = world.entries()[-1]
    assert (told.kind, told.about, told.count) == ("detection.proposed", (), None), "nothing in the clear says who is a canary"
    waits = (await desk.get(DETECTION_PATH, second)).json()
    assert waits["in_force"]["people_an_hour"] == 50
    assert (waits["proposed"]["proposal"], waits["proposed"]["rules"]["people_an_hour"]) == (proposal, 9)
    assert waits["proposed"]["rules"]["canaries"] == [written(kept.record)]
    own = await desk.post(f"{DETECTION_PATH}/approval", {"proposal": proposal, "code": world.one_time_code("officer")}, desk.officer)
    assert (own.status_code, own.json()["code"]) == (403, "same-person")
    bare = await desk.post(f"{DETECTION_PATH}/approval", {"proposal": proposal}, second)
    assert (bare.status_code, bare.json()["code"]) == (403, "step-up-required")
    assert await in_force(world) is None
    done = await desk.post(f"{DETECTION_PATH}/approval", {"proposal": proposal, "code": world.one_time_code("second_officer")}, second)
    assert (done.status_code, done.json()) == (200, {"state": "in-force"})
    assert (world.entries()[-1].kind, world.entries()[-1].about) == ("detection.approved", ())
    stands = await in_force(world)
    assert stands is not None
    assert (stands.people_an_hour, stands.holidays) == (9, ("2026-09-23",))
    assert stands.canaries == ((kept.record.hex(), kept.subject.hex()),)
    now = (await desk.get(DETECTION_PATH, second)).json()
    assert (now["proposed"], now["in_force"]["canaries"]) == (None, [written(kept.record)])
    again = await desk.post(f"{DETECTION_PATH}/approval", {"proposal": proposal, "code": world.one_time_code("second_officer")}, second)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    await desk.read(kept.record)
    assert await fired(world) == ["canary"]


async def test_only_the_wording_that_waits_is_approved(desk: Desk):
    world = desk.world
    second = await world.session("second_officer")

    async def approve(proposal: str) -> Any:
        return await desk.post(f"{DETECTION_PATH}/approval", {"proposal": proposal, "code": world.one_time_code("second_officer")}, second)

    assert (await approve(str(uuid.uuid4()))).status_code == 404
    first = await put(desk, {})
    assert first.status_code == 200, first.text
    old = first.json()["proposal"]
    assert (await put(desk, {})).json() == first.json(), "the same wording again is the same proposal"
    new = (await put(desk, {"misses": 3})).json()["proposal"]
    assert (await approve(old)).status_code == 409
    wrong = await approve("x")
    assert (wrong.status_code, wrong.json()["errors"]) == (422, [{"field": "proposal", "code": "out-of-range"}])
    assert (await approve(new)).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"holidays": ["2026-02-30"]}, "holidays"),
        ({"holidays": ["tomorrow"]}, "holidays[]"),
        ({"opens": 9, "closes": 8}, "closes"),
        ({"opens": 25}, "opens"),
        ({"days": ["someday"]}, "days[]"),
        ({"misses": 0}, "misses"),
        ({"canaries": ["x"]}, "canaries"),
        ({"canaries": [str(uuid.uuid4())]}, "canaries"),
        ({"more": 1}, None),
    ],
)
async def test_what_is_no_threshold_is_refused_and_not_echoed(small_desk: Desk, body: dict[str, Any], field: str | None):
    answer = await put(small_desk, body)
    assert answer.status_code in (400, 422), answer.text
    if field is not None:
        assert answer.json()["errors"][0]["field"].startswith(field.removesuffix("[]"))
    assert await in_force(small_desk.world) is None


async def test_a_canary_whose_rows_do_not_hold_is_an_integrity_failure_and_no_canary(small_desk: Desk):
    world = small_desk.world
    kept = await store(world)
    with world.database.connect() as connection, connection.begin():
        connection.execute(update(tables.sheet).values(sealed=b"x"))
    answer = await put(small_desk, {"canaries": [written(kept.record)]})
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
    assert world.entries()[-1].kind == "alarm"


async def test_how_many_alerts_are_kept_from_her_is_one_number_whatever_she_asks_and_no_page_ends_at_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    world, case = desk.world, uuid.uuid4()
    await raised(desk)
    for hours in (24, 48):
        told = Entry(kind="incident.clock", outcome="error", actor="system", about=(About(case.bytes, case.bytes),), count=hours)
        await world.association.run(partial(LoggedDeed.append, entry=told))
        assert await fired(world)
    await lay_down(world, EXCLUSIONS, (await world.person("officer")).id, ExclusionsFact(cases=(case.hex,)))
    asked: list[dict[str, Any]] = [{}, {"state": "reviewed"}, *({"after": place} for place in range(len(world.entries()) + 1))]
    assert {(await listed(desk, **one))["withheld"] for one in asked} == {2}
    monkeypatch.setattr(desk_of_alerts, "MOST_LOOKED_AT", 1)
    [own] = (page := await listed(desk))["items"]
    assert own["rule"] == "bulk"
    assert (await listed(desk, after=page["next"]))["items"] == []
