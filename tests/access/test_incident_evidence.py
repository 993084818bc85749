"""Evidence on an incident out of the access log: which people and fields a hand touched, complete, provable, and kept from the excluded."""

import uuid
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from tests.household import errand, grant, lay_down, read, store
from tests.simulator import START, World
from vault.access import incident_evidence, touches, withholding
from vault.access.incident_evidence_api import EVIDENCE_ROUTES
from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.entry import About
from vault.access_log.merkle import leaf_hash
from vault.access_log.verify import snapshot
from vault.breach_reports import evidence_facts, incident_file, incidents, tombstones
from vault.breach_reports.incidents import Opening
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.breach_reports.tombstones import Ending
from vault.identity.scopes import ROLES
from vault.rulebook.asker import Errand
from vault.rulebook.facts import holding
from vault.rulebook.two_people import STAFF
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
SUMMARY = "استعمل أحد الأنظمة مفتاحه خارج الغرض"


async def incident(world: World) -> str:
    """The id of a new incident."""
    job = Errand(await world.person("officer"), "request-1")
    made = await world.association.run(lambda deed: incidents.open_(deed, job, Opening(SUMMARY), None))
    return str(uuid.UUID(made.id))


async def call(world: World, method: str, path: str, body: Any = None, *, who: str = "officer", status: int = 200, **headers: str) -> Any:
    token = await world.session(who)
    told = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with world.front(*EVIDENCE_ROUTES) as http:
        answer = await http.request(method, f"/v1/incidents/{path}", json=body, headers=told)
    assert answer.status_code == status, answer.text
    return answer.json()


async def question(world: World, **changes: str) -> dict[str, str]:
    return {"actor": (await world.system()).ref, "from": write_time(START), "to": write_time(world.clock.now), **changes}


async def saved(world: World, id_: str, **changes: str) -> Any:
    return await call(world, "POST", f"{id_}/evidence", await question(world, **changes), status=201)


async def proven(world: World, id_: str, told: Any) -> tuple[bool, str | None, int | None]:
    found = await call(world, "POST", f"{id_}/evidence/{told['id']}/verification")
    return found["holds"], found["fault"], found["index"]


async def people(world: World, id_: str, told: Any, **more: Any) -> list[Any]:
    found: list[Any] = (await call(world, "GET", f"{id_}/evidence/{told['id']}/people", **more))["items"]
    return found


async def two_read(world: World) -> list[Any]:
    """Two people, one of them read twice, a second before now."""
    kept = [await store(world) for _ in range(2)]
    for one in kept:
        await grant(world, one.record)
    for one in (*kept, kept[0]):
        await read(world, one.record)
    world.clock.forward(1)
    return kept


def of_hand(world: World, hand: str) -> dict[bytes, list[int]]:
    """What the log itself says: the numbers of the allowed entries of this hand, by the person they name."""
    found: dict[bytes, list[int]] = {}
    for number, entry in enumerate(world.entries()):
        if hand in {entry.actor, entry.on_behalf} and entry.outcome == "allow":
            for about in entry.about:
                if about.subject != about.record:
                    found.setdefault(about.subject, []).append(number)
    return found


async def test_whom_a_key_touched_is_saved_as_numbers_and_count_and_equals_the_log(vault: World):
    kept, id_ = await two_read(vault), await incident(vault)
    vault.clock.forward(1)
    expected = of_hand(vault, (await vault.system()).ref)
    told = await saved(vault, id_)
    assert (told["people"], told["entries"], told["over_100"]) == (2, len({n for each in expected.values() for n in each}), False)
    assert told["checkpoint"].startswith(f"amanah/{vault.code}/1\n{told['complete_to']}\n")
    found = await people(vault, id_, told)
    by_record = {each["record"]: each for each in found}
    assert {uuid.UUID(record).bytes: each["indexes"] for record, each in by_record.items()} == {
        one.record: expected[one.subject] for one in kept
    }
    twice = by_record[str(uuid.UUID(bytes=kept[0].record))]
    assert (twice["fields"], twice["deeds"]["record.read"]) == (["full_name", "mobile", "national_id"], 2)
    assert await proven(vault, id_, told) == (True, None, None)
    kinds = [entry.kind for entry in vault.entries() if entry.kind.startswith("incident.evidence")]
    assert kinds == ["incident.evidence-saved", "incident.evidence-read", "incident.evidence-proved"]
    entry = next(each for each in vault.entries() if each.kind == "incident.evidence-saved")
    assert (entry.count, entry.purpose, entry.basis, entry.law) == (told["entries"], "breach_report", "law", "sa-pdpl:20")
    listed = await call(vault, "GET", f"{id_}/evidence")
    assert (listed["items"], listed["withheld"]) == ([told], 0)


async def test_the_same_question_has_the_same_answer_whatever_was_done_since(vault: World):
    kept, id_ = await two_read(vault), await incident(vault)
    asked = await question(vault)
    first = await call(vault, "POST", f"{id_}/evidence", asked, status=201)
    await read(vault, kept[1].record)
    vault.clock.forward(3)
    again = await call(vault, "POST", f"{id_}/evidence", asked, status=201)
    assert await people(vault, id_, first) == await people(vault, id_, again)
    same = ("entries", "people", "first_index", "end_index", "actor")
    assert [again[name] for name in same] == [first[name] for name in same]
    assert await proven(vault, id_, first) == (True, None, None)
    wider = await saved(vault, id_)
    assert wider["entries"] == first["entries"] + 1


async def test_a_key_is_asked_for_by_its_id_and_a_clerk_by_what_was_done_at_a_screen_in_her_name(vault: World):
    kept, id_ = await two_read(vault), await incident(vault)
    book = await vault.association.refresh()
    key = next(iter(book.clients))
    told = await saved(vault, id_, actor=f"key:{key}")
    assert (told["actor"], told["key"], told["people"]) == ((await vault.system()).ref, key, 2)
    clerk = f"{STAFF}{'ab' * 16}"
    about = (About(kept[0].subject, kept[0].record), About(kept[1].subject))
    job = await errand(vault)
    entry = job.entry(kind="record.search", outcome="allow", about=about, fields=("national_id",))
    at_screen = type(entry)(**{**{name: getattr(entry, name) for name in entry.__slots__}, "on_behalf": clerk})
    await vault.association.run(lambda deed: deed.append(at_screen))
    vault.clock.forward(2)
    told = await saved(vault, id_, actor=f"staff:{uuid.UUID(hex='ab' * 16)}")
    found = await people(vault, id_, told)
    assert (told["people"], told["entries"], {each["record"] for each in found}) == (
        2,
        1,
        {None, str(uuid.UUID(bytes=kept[0].record))},
    )
    assert [each["fields"] for each in found] == [[], []], "a search shows no field of whom it finds"


async def test_pages_are_bounded_and_so_is_what_one_piece_holds(vault: World, monkeypatch: pytest.MonkeyPatch):
    await two_read(vault)
    id_ = await incident(vault)
    monkeypatch.setattr(incident_evidence, "MOST_PEOPLE", 1)
    monkeypatch.setattr(touches, "AT_ONCE", 2)
    told = await saved(vault, id_)
    first = await call(vault, "GET", f"{id_}/evidence/{told['id']}/people")
    second = await call(vault, "GET", f"{id_}/evidence/{told['id']}/people?after={first['next']}")
    assert (len(first["items"]), len(second["items"]), second["next"]) == (1, 1, None)
    assert (await call(vault, "GET", f"{id_}/evidence/{told['id']}/people?after=7"))["items"] == []
    monkeypatch.setattr(touches, "MOST", 3)
    problem = await call(vault, "POST", f"{id_}/evidence", await question(vault), status=422)
    assert problem["errors"] == [{"field": "from", "code": "out-of-range"}]
    monkeypatch.setattr(incident_evidence, "MOST_EVIDENCE", 1)
    assert (await call(vault, "POST", f"{id_}/evidence", await question(vault), status=409))["code"] == "incident-state"


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"actor": "Fatima"}, [("actor", "wrong-type")]),
        ({"actor": "key:" + "0" * 16}, [("actor", "unknown-key")]),
        ({"from": "yesterday"}, [("from", "wrong-type")]),
        ({"to": "2026-13-01T00:00:00Z"}, [("to", "wrong-type")]),
        ({"to": "2020-01-01T00:00:00Z"}, [("from", "out-of-range")]),
        ({"to": "2050-01-01T00:00:00Z"}, [("to", "future-dated")]),
    ],
)
async def test_what_cannot_be_asked_is_told_by_its_field(small: World, changes: dict[str, str], errors: list[tuple[str, str]]):
    small.clock.forward(1)
    problem = await call(small, "POST", f"{await incident(small)}/evidence", await question(small, **changes), status=422)
    assert [(each["field"], each["code"]) for each in problem["errors"]] == errors


async def test_a_repeat_makes_no_second_piece_and_no_other_incident_has_it(small: World):
    await two_read(small)
    id_, other, body = await incident(small), await incident(small), await question(small)
    first = await call(small, "POST", f"{id_}/evidence", body, status=201, Idempotency_Key="k" * 16)
    again = await call(small, "POST", f"{id_}/evidence", body, status=201, Idempotency_Key="k" * 16)
    assert (again["id"], len((await call(small, "GET", f"{id_}/evidence"))["items"])) == (first["id"], 1)
    assert (await call(small, "GET", f"{other}/evidence"))["items"] == []
    for path in (f"{other}/evidence/{first['id']}/people", f"{id_}/evidence/{uuid.uuid4()}/people", f"{uuid.uuid4()}/evidence"):
        assert (await call(small, "GET", path, status=404))["code"] == "not-found"


async def test_altering_one_row_makes_verification_name_the_first_broken_one_and_rings_the_alarm(vault: World):
    kept, id_ = await two_read(vault), await incident(vault)
    told = await saved(vault, id_)
    number = of_hand(vault, (await vault.system()).ref)[kept[1].subject][-1]
    place = tables.entry.c
    with vault.database.connect() as connection, connection.begin():
        body = bytes(connection.execute(tables.entry.select().where(place.number == number)).one().body)
        forged = body.replace(b"full_name", b"fill_name")
        connection.execute(update(tables.entry).where(place.number == number).values(body=forged, leaf=leaf_hash(forged)))
    assert await proven(vault, id_, told) == (False, "entry-altered", number)
    assert [entry.reason for entry in vault.entries() if entry.kind == "alarm"] == ["INTEGRITY"]
    with vault.database.connect() as connection, connection.begin():
        connection.execute(delete(tables.entry).where(place.number == number))
    assert await proven(vault, id_, told) == (False, "entry-missing", number)


async def test_an_entry_taken_from_its_hand_by_the_projection_is_named_as_well(vault: World):
    _, id_ = await two_read(vault), await incident(vault)
    told = await saved(vault, id_)
    number = (await people(vault, id_, told))[0]["indexes"][-1]
    with vault.database.connect() as connection, connection.begin():
        connection.execute(update(tables.entry).where(tables.entry.c.number == number).values(actor="system"))
    assert await proven(vault, id_, told) == (False, "answer-differs", number)


async def test_a_log_whose_tree_was_written_anew_or_lacks_is_another_log(small: World, monkeypatch: pytest.MonkeyPatch):
    _, id_ = await two_read(small), await incident(small)
    told = await saved(small, id_)
    monkeypatch.setattr("vault.access.proving.grown", lambda *_: False)
    assert await proven(small, id_, told) == (False, "log-forked", None)
    first = min((await people(small, id_, told))[0]["indexes"])
    nobody = await saved(small, id_, actor="staff:" + "0" * 32)
    assert (nobody["people"], nobody["entries"]) == (0, 0)
    with small.database.connect() as connection, connection.begin():
        connection.execute(text("UPDATE access_log_entry SET body = x'00' WHERE number = 1"))
        connection.execute(text("UPDATE access_log_entry SET actor = :hand WHERE number = 1"), {"hand": "staff:" + "0" * 32})
    assert await proven(small, id_, nobody) == (False, "log-forked", None)
    for leaf in ("x'00'", "'x'"):
        with small.database.connect() as connection, connection.begin():
            connection.execute(text(f"UPDATE access_log_entry SET leaf = {leaf} WHERE number = 2"))  # noqa: S608  # words of this file
        assert await proven(small, id_, nobody) == (False, "log-forked", None), "nothing is signed over such a tree"
        assert (await proven(small, id_, told))[:2] == (False, "log-forked"), "its entries are as they were, and not under that root"
    with small.database.connect() as connection, connection.begin():
        connection.execute(text("UPDATE access_log_entry SET body = 'x' WHERE number = :number"), {"number": first})
    assert await proven(small, id_, told) == (False, "entry-altered", first)


async def test_an_entry_about_a_case_somebody_is_excluded_from_is_kept_from_her_and_counted(vault: World):
    kept, id_ = await two_read(vault), await incident(vault)
    case, job = b"\x07" * 16, await errand(vault)
    both = job.entry(kind="record.read", outcome="allow", about=(About(kept[0].subject, kept[0].record), About(case, case)))
    alone = job.entry(kind="record.read", outcome="allow", about=(About(b"\x09" * 16, b"\x0a" * 16), About(case, case)))
    await vault.association.run(lambda deed: [deed.append(one) for one in (both, alone)])
    vault.clock.forward(2)
    everything = await saved(vault, id_)
    assert everything["people"] == 3
    officer = (await vault.person("officer")).id
    await lay_down(vault, EXCLUSIONS, uuid.UUID(officer).hex, ExclusionsFact(cases=(case.hex(),)))
    told = await call(vault, "GET", f"{id_}/evidence")
    assert (told["withheld"], told["items"][0]["people"], told["items"][0]["entries"]) == (2, 2, everything["entries"] - 2)
    page = await call(vault, "GET", f"{id_}/evidence/{everything['id']}/people")
    assert (page["withheld"], len(page["items"])) == (2, 2)
    own = await saved(vault, id_)
    assert (own["people"], own["entries"]) == (2, everything["entries"] - 2)
    assert await proven(vault, id_, own) == (True, None, None), "asked anew without what was kept from who saved it"
    assert await proven(vault, id_, everything) == (True, None, None)


async def test_whom_the_incident_excludes_gets_no_evidence_of_it_and_leaves_an_entry(small: World):
    await two_read(small)
    id_ = await incident(small)
    told = await saved(small, id_)
    job = Errand(await small.person("second_officer"), "request-1")
    officer = uuid.UUID((await small.person("officer")).id).bytes
    await small.association.run(lambda deed: incidents.exclude(deed, job, uuid.UUID(id_).bytes, officer))
    for method, path, body in (
        ("GET", f"{id_}/evidence", None),
        ("GET", f"{id_}/evidence/{told['id']}/people", None),
        ("POST", f"{id_}/evidence/{told['id']}/verification", None),
        ("POST", f"{id_}/evidence", await question(small)),
    ):
        assert (await call(small, method, path, body, status=403))["code"] == "excluded"
        last = small.entries()[-1]
        assert (last.kind, last.outcome, last.reason) == ("incident.refused", "refuse", "EXCLUDED")


async def test_a_page_altered_in_the_database_is_no_evidence(small: World):
    await two_read(small)
    id_ = await incident(small)
    told = await saved(small, id_)
    with small.database.connect() as connection, connection.begin():
        connection.execute(text("UPDATE rulebook_fact SET sealed = x'00' WHERE kind = 'incident_evidence_page'"))
    assert (await call(small, "GET", f"{id_}/evidence/{told['id']}/people", status=503))["code"] == "integrity"


async def test_the_evidence_of_a_destroyed_incident_tells_of_nobody_and_no_other_goes_with_it(vault: World):
    await two_read(vault)
    gone, other = await incident(vault), await incident(vault)
    told, kept = await saved(vault, gone), await saved(vault, other)
    ending = Ending("00" * 16, vault.clock.now, "closed")
    job = Errand(await vault.person("officer"), "request-1")

    def bury(deed: Deed) -> None:
        found = incident_file.load(deed, uuid.UUID(gone).bytes)
        tombstones.bury(deed, job.entry(kind="", outcome="allow", basis="law"), found.fact, ending)

    await vault.association.run(bury)
    with snapshot(vault.database) as connection:
        named = holding(connection, vault.association.cabinet, vault.association.id, evidence_facts.EVIDENCE_PAGE)
        asked = holding(connection, vault.association.cabinet, vault.association.id, evidence_facts.EVIDENCE)
    mine, others = (uuid.UUID(each["id"]).hex for each in (told, kept))
    assert {key: len(page.people) for key, page in named.items()} == {f"{mine}-0": 0, f"{others}-0": 2}
    assert [(asked[each].hand != "", asked[each].by != "", asked[each].people) for each in (mine, others)] == [
        (False, False, 0),
        (True, True, 2),
    ]
    assert [entry.count for entry in vault.entries() if entry.kind == tombstones.EVIDENCE] == [2]
    assert len(await people(vault, other, kept)) == 2


async def test_whoever_works_on_incidents_reads_the_log_as_well():
    assert all("log:read" in scopes for scopes in ROLES.values() if "reports" in scopes)
    assert evidence_facts.MOST_PEOPLE <= 500


async def test_without_cases_nothing_is_looked_for(small: World):
    found = await small.association.run(lambda deed: withholding.named_between(deed, (), 0, 10))
    assert found == frozenset()
