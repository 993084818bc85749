"""Retention: what is closed long enough is destroyed by two people and leaves a tombstone; what is open or held stays."""

import uuid
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select, update

from tests.access.desk import rows_of
from tests.access.erasures import lost
from tests.breach_reports.desk import NARRATIVE, Desk
from tests.breach_reports.incident_desk import PARTS, done, incident, now, opened, plain, read, refused, report
from tests.breach_reports.notices import noticed, person
from tests.breach_reports.test_files import PDF, sent
from tests.simulator import START
from vault.access_log.verify import snapshot, verify
from vault.breach_reports import file_tables, incident_tables, tables
from vault.breach_reports.incident_shapes import INCIDENT, IncidentFact, Step
from vault.breach_reports.letters import LETTER, LetterFact, outbox
from vault.breach_reports.retention import terms
from vault.breach_reports.retention_examine import overdue
from vault.breach_reports.shapes import BREACH_REPORT, Dismissal, ReportFact
from vault.breach_reports.tombstones import JOURNAL, Ending
from vault.reclosing import close, reclose
from vault.rulebook.facts import holding
from vault.rulebook.tables import fact
from vault.storage.engine import enter
from vault.storage.journal import Line
from vault.web.times import parse_time, write_time

DAY = 86_400_000_000
YEAR = 366 * DAY


async def retention(desk: Desk, method: str = "GET", path: str = "", body: Any = None, who: str = "officer") -> httpx.Response:
    """A call about retention; whoever makes it signs in again, for years may have gone by."""
    desk.tokens[who] = await desk.world.session(who)
    headers = {"Authorization": f"Bearer {desk.tokens[who]}", "Accept-Language": "en"}
    return await desk.http.request(method, f"/v1/breach-retention{path}", json=body, headers=headers)


async def preview(desk: Desk, who: str = "officer") -> dict[str, str]:
    """The state of each closed case by its reference."""
    answer = await retention(desk, who=who)
    assert answer.status_code == 200, answer.text
    return {each["reference"]: each["state"] for each in answer.json()["items"]}


async def preview_ids(desk: Desk) -> list[str]:
    return [each["id"] for each in (await retention(desk)).json()["items"]]


async def proposed_run(desk: Desk) -> str:
    answer = await retention(desk, "POST")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def hidden_run(desk: Desk) -> str:
    """A run whose one case is kept from the second officer."""
    id_, _ = await dismissed(desk)
    second = await desk.world.person("second_officer")
    assert (await desk.as_("officer", "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(second.id))})).status_code == 200
    pass_(desk, YEAR + 2 * DAY)
    return await proposed_run(desk)


async def release(desk: Desk, run: str, who: str = "second_officer") -> httpx.Response:
    """The second person's release, with a code of its own."""
    await retention(desk, who=who)
    code = {"code": desk.world.one_time_code(who)}
    headers = {"Authorization": f"Bearer {desk.tokens[who]}", "Accept-Language": "en"}
    return await desk.http.post(f"/v1/breach-retention/{run}/release", json=code, headers=headers)


async def run(desk: Desk) -> dict[str, Any]:
    """A run that two people make: what was destroyed and what stays."""
    answer = await release(desk, await proposed_run(desk))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def dismissed(desk: Desk, reason: str = "no_basis", **changes: Any) -> tuple[str, dict[str, str]]:
    """A report that two people dismissed: its id, and what its reporter was given."""
    await incident(desk, "officer", "GET", "")
    given = await desk.report(**changes)
    id_ = await desk.id_of(given["reference"])
    await incident(desk, "second_officer", "GET", "")
    assert (await desk.as_("officer", "POST", f"/{id_}/dismissal", {"reason": reason})).status_code == 200
    code = desk.world.one_time_code("second_officer")
    answer = await desk.as_("second_officer", "POST", f"/{id_}/dismissal/approval", {"reason": reason, "code": code})
    assert answer.status_code == 200, answer.text
    return id_, given


async def settled(desk: Desk, id_: str) -> None:
    """Settle both tracks of an incident and close it."""
    await done(desk, f"/{id_}/state", {"state": "confirmed"})
    await done(desk, f"/{id_}/filing", {"track": "authority", "filed_at": now(desk), "reference": "SDAIA-77"})
    await done(desk, f"/{id_}/filing", {"track": "people", "filed_at": now(desk)})
    await done(desk, f"/{id_}/state", {"state": "closed"})


async def closed(desk: Desk, *reports: str) -> str:
    """An incident from these reports, closed; each of them was answered."""
    for each in reports:
        assert (await desk.as_("officer", "POST", f"/{each}/reply", {"text": "answered"})).status_code == 200
    id_ = await opened(desk, *reports)
    await settled(desk, id_)
    return id_


def pass_(desk: Desk, time: int) -> None:
    desk.world.clock.now += time


def rows(desk: Desk) -> dict[str, int]:
    """How many rows there are in each table of cases."""
    every = (tables.report, tables.report_key, tables.part, incident_tables.incident_key, incident_tables.incident_part, file_tables.chunk)
    with snapshot(desk.world.database) as connection:
        return {each.name: connection.execute(select(func.count()).select_from(each)).scalar_one() for each in every}


def letters_of(desk: Desk) -> list[LetterFact]:
    """Every letter that a fact tells of."""
    association = desk.world.association
    with snapshot(desk.world.database) as connection:
        return list(holding(connection, association.cabinet, association.id, LETTER).values())


def findings(desk: Desk) -> list[str]:
    """What doctor finds: in facts and rows, in the log as a whole, and of retention."""
    association = desk.world.association
    with snapshot(desk.world.database) as connection:
        vkey = association.cabinet.signer.vkey_at
        told = verify(connection, association.id, desk.world.code, vkey, association.outside.read(), cabinet=association.cabinet)
        return [*desk.findings(), *told.lines()]


@pytest.mark.asyncio(loop_scope="function")
async def test_25_after_five_years_the_run_leaves_the_tombstone_only(desk: Desk):
    given = await desk.report(contact="0501234567")
    await incident(desk, "officer", "GET", "")
    id_ = await desk.id_of(given["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/acknowledgement")).status_code == 200
    case = await closed(desk, id_)
    reference = (await read(desk, case))["reference"]
    pass_(desk, 5 * 365 * DAY)  # two leap days short
    assert await preview(desk) == {reference: "soon"}
    assert (await retention(desk, "POST")).json()["code"] == "nothing-due"
    pass_(desk, 3 * DAY)
    assert await preview(desk) == {reference: "due"}
    told = await run(desk)
    assert (sorted(told["destroyed"]), told["left"], told["epochs"]) == (sorted([case, id_]), [], [1])
    assert set(rows(desk).values()) == {0}
    assert await preview(desk) == {}
    stones = (await retention(desk, path="/tombstones")).json()
    assert (stones["next"], stones["withheld"]) == (None, 0)
    by_what = {each["what"]: each for each in stones["items"]}
    assert by_what["incident"] | {"opened_at": "", "closed_at": "", "destroyed_at": "", "filed_at": ""} == {
        "id": case,
        "what": "incident",
        "reference": reference,
        "opened_at": "",
        "closed_at": "",
        "destroyed_at": "",
        "filed_at": "",
        "outcome": "closed",
        "category": None,
        "incident": None,
        "reports": [id_],
        "authority": "filed",
        "people": "filed",
        "reference_there": "SDAIA-77",
    }
    assert (by_what["report"]["outcome"], by_what["report"]["category"]) == ("linked", "published_without_consent")
    assert (by_what["report"]["reference"], by_what["report"]["incident"]) == (given["reference"], case)
    assert findings(desk) == []
    for method, path in (("GET", f"/{id_}"), ("POST", f"/{id_}/acknowledgement")):
        assert (await desk.as_("officer", method, path)).status_code == 404
    assert await refused(desk, f"/{case}", method="GET") == (404, "not-found", [])
    kinds = [entry.kind for entry in desk.world.entries()]
    assert kinds.count("breach_report.destroyed") == kinds.count("incident.destroyed") == 1
    assert NARRATIVE not in str(stones)


@pytest.mark.asyncio(loop_scope="function")
async def test_03_the_receipt_of_a_destroyed_report_is_answered_as_a_random_one(desk: Desk):
    _, given = await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    assert len((await run(desk))["destroyed"]) == 1
    answers = []
    for receipt in (given["receipt"], "7K3QZ-9M2XR-0D4TV-8N6HC"):
        for path, body in (("/status", {}), ("/messages", {"text": "still there?"})):
            answer = await desk.public(path, {"receipt": receipt, **body})
            told = {**answer.json(), "request_id": ""}
            head = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "content-length"}}
            answers.append((answer.status_code, told, head))
    assert answers[0] == answers[2]
    assert answers[1] == answers[3]
    assert answers[0][0] == 404


@pytest.mark.asyncio(loop_scope="function")
async def test_each_reason_has_its_time_and_what_the_reporter_still_says_keeps_her_case(desk: Desk):
    await dismissed(desk, "spam")
    _, given = await dismissed(desk)
    pass_(desk, 15 * DAY)
    assert sorted((await preview(desk)).values()) == ["due", "later"]
    assert (await desk.public("/messages", {"receipt": given["receipt"], "text": "it happened again"})).status_code == 201
    pass_(desk, YEAR - 14 * DAY)
    assert sorted((await preview(desk)).values()) == ["due", "soon"]
    pass_(desk, 16 * DAY)
    assert len((await run(desk))["destroyed"]) == 2


@pytest.mark.asyncio(loop_scope="function")
async def test_what_is_open_or_whose_clock_runs_is_never_destroyed(desk: Desk):
    lying = await report(desk)
    unanswered = await opened(desk, lying)
    await settled(desk, unanswered)
    await opened(desk, await report(desk))
    await desk.report()
    await done(desk, f"/{(reopened := await closed(desk))}/state", {"state": "remediating"})
    pass_(desk, 12 * YEAR)
    assert await preview(desk) == {(await read(desk, unanswered))["reference"]: "clock-open"}
    assert (await retention(desk, "POST")).json()["code"] == "nothing-due"
    assert (await read(desk, reopened))["state"] == "remediating"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_legal_hold_is_laid_by_one_and_lifted_by_two_and_stops_what_it_is_linked_with(desk: Desk):
    id_ = await report(desk)
    case = await closed(desk, id_)
    hold = f"/{id_}/legal-hold"
    assert (await desk.as_("officer", "POST", hold, {"reason": " "})).status_code == 422
    assert (await desk.as_("officer", "POST", hold, {"reason": "a case before the court"})).status_code == 200
    assert (await desk.as_("officer", "POST", hold, {"reason": "again"})).json()["code"] == "hold-state"
    assert next(each for each in (await desk.as_("officer", "GET", "")).json()["items"])["legal_hold"] is True
    [told] = (await desk.read(id_))["holds"]
    assert told["reason"] == "a case before the court"
    pass_(desk, 6 * YEAR)
    [(reference, state)] = (await preview(desk)).items()
    assert state == "legal-hold"
    cabinet, association = desk.world.association.cabinet, desk.world.association.id
    with snapshot(desk.world.database) as connection:
        [said] = overdue(connection, cabinet, association, {}, desk.world.clock.now)
    assert said.startswith(f"incident {reference}: ")
    assert "legal hold" in said
    assert (await retention(desk, "POST")).json()["code"] == "nothing-due"
    await incident(desk, "officer", "GET", "")
    answer = await desk.as_("officer", "POST", f"{hold}/lifting", {"reason": "the court has closed it"})
    proposal = answer.json()["hold"]["proposal"]
    assert (await desk.as_("officer", "GET", "")).json()["items"][0]["legal_hold"] is True
    body = {"proposal": proposal, "code": desk.world.one_time_code("officer")}
    assert (await desk.as_("officer", "POST", f"{hold}/approval", body)).json()["code"] == "same-person"
    await incident(desk, "second_officer", "GET", "")
    code = desk.world.one_time_code("second_officer")
    assert (await desk.as_("second_officer", "POST", f"{hold}/approval", {"proposal": 99, "code": code})).json()["code"] == "hold-state"
    lifted = await desk.as_("second_officer", "POST", f"{hold}/approval", {"proposal": proposal, "code": code})
    assert lifted.status_code == 200, lifted.text
    assert (await desk.as_("officer", "POST", f"{hold}/lifting", {"reason": "x"})).json()["code"] == "hold-state"
    assert await preview(desk) == {reference: "due"}
    assert sorted((await run(desk))["destroyed"]) == sorted([case, id_])
    kinds = [entry.kind for entry in desk.world.entries()]
    assert [kinds.count(f"breach_report.{each}") for each in ("held", "hold-lifting-proposed", "hold-lifted")] == [1, 1, 2]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_hold_laid_on_an_incident_after_the_proposal_keeps_it_from_the_release(desk: Desk):
    case = await closed(desk)
    pass_(desk, 6 * YEAR)
    waiting = await proposed_run(desk)
    assert (await retention(desk)).json()["waiting"]["id"] == waiting
    await incident(desk, "officer", "GET", "")
    await done(desk, f"/{case}/legal-hold", {"reason": PARTS})
    told = await release(desk, waiting)
    assert (told.status_code, told.json()["code"]) == (409, "run-nothing-due")
    [hold] = (await read(desk, case))["holds"]
    assert hold["reason"] == PARTS
    listed = (await done(desk, "?state=all", method="GET"))["items"]
    assert [each["legal_hold"] for each in listed] == [True]
    number = (await done(desk, f"/{case}/legal-hold/lifting", {"reason": PARTS}))["hold"]["proposal"]
    await incident(desk, "second_officer", "GET", "")
    body = {"proposal": number, "code": desk.world.one_time_code("second_officer")}
    assert (await done(desk, f"/{case}/legal-hold/approval", body, "second_officer"))["hold"]["lifted_by"]
    assert (await release(desk, waiting)).json()["destroyed"] == [case], "what destroyed nothing waited still"
    assert (await release(desk, waiting)).json()["code"] == "run-settled"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_release_takes_another_person_and_a_run_that_is_there(desk: Desk):
    await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    waiting = await proposed_run(desk)
    assert (await release(desk, waiting, "officer")).json()["code"] == "same-person"
    assert (await retention(desk, "POST", f"/{waiting}/release", {}, "second_officer")).json()["code"] == "step-up-required"
    assert (await release(desk, "01800ee0-0000-4000-8000-000000000000")).status_code == 404
    assert (await retention(desk, path="/tombstones?after=01800ee0-0000-4000-8000-000000000000")).status_code == 404
    assert rows(desk)["breach_report"] == 1


@pytest.mark.asyncio(loop_scope="function")
async def test_a_run_that_was_turned_down_destroys_nothing_and_is_proposed_anew(desk: Desk):
    await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    waiting = await proposed_run(desk)
    told = await retention(desk, "POST", f"/{waiting}/rejection", who="second_officer")
    assert (told.status_code, told.json()["id"], "turned_down_by" in told.json()) == (200, waiting, True)
    assert (await retention(desk)).json()["waiting"] is None
    assert (await release(desk, waiting)).json()["code"] == "run-settled"
    assert (await retention(desk, "POST", f"/{waiting}/rejection", who="second_officer")).json()["code"] == "run-settled"
    assert rows(desk)["breach_report"] == 1
    assert len((await run(desk))["destroyed"]) == 1


@pytest.mark.asyncio(loop_scope="function")
async def test_whom_every_case_of_a_run_excludes_cannot_turn_it_down(desk: Desk):
    waiting = await hidden_run(desk)
    assert (await retention(desk, "POST", f"/{waiting}/rejection", who="second_officer")).status_code == 404
    assert (await retention(desk)).json()["waiting"]["id"] == waiting


@pytest.mark.asyncio(loop_scope="function")
async def test_whom_a_case_excludes_sees_neither_its_end_nor_its_tombstone_and_destroys_nothing_of_it(desk: Desk):
    id_, _ = await dismissed(desk)
    second = await desk.world.person("second_officer")
    assert (await desk.as_("officer", "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(second.id))})).status_code == 200
    await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    assert len(await preview(desk)) == 2
    answer = (await retention(desk, who="second_officer")).json()
    assert (len(answer["items"]), answer["withheld"]) == (1, 1)
    waiting = await proposed_run(desk)
    assert len((await retention(desk)).json()["waiting"]["cases"]) == 2
    assert id_ not in (await retention(desk, who="second_officer")).text
    told = await release(desk, waiting)
    assert len(told.json()["destroyed"]) == 1
    assert id_ not in told.text, "nor does she read what stays of the run"
    assert id_ in await preview_ids(desk)
    association = desk.world.association
    assert await association.run(lambda deed: close(deed, association=association, line=line("report", id_, "no_basis"))) == 1
    stones = (await retention(desk, path="/tombstones", who="second_officer")).json()
    assert (len(stones["items"]), stones["withheld"]) == (1, 1)
    assert len((await retention(desk, path="/tombstones?limit=1")).json()["items"]) == 1


@pytest.mark.asyncio(loop_scope="function")
async def test_whom_an_incident_excludes_lays_no_hold_on_it_and_her_try_is_an_entry(desk: Desk):
    case = await opened(desk)
    second = await desk.world.person("second_officer")
    await done(desk, f"/{case}/exclusion", {"staff": str(uuid.UUID(second.id))})
    assert await refused(desk, f"/{case}/legal-hold", {"reason": PARTS}, "second_officer") == (403, "excluded", [])
    assert await refused(desk, f"/{uuid.UUID(int=7)}/legal-hold", {"reason": PARTS}) == (404, "not-found", [])
    assert [entry.reason for entry in desk.world.entries() if entry.kind == "incident.refused"] == ["EXCLUDED"]


@pytest.mark.asyncio(loop_scope="function")
async def test_closed_cases_and_tombstones_go_page_by_page_without_a_gap(desk: Desk):
    made = {(await dismissed(desk))[0] for _ in range(3)}
    pass_(desk, YEAR + 2 * DAY)

    async def pages(path: str) -> list[str]:
        found: list[str] = []
        after = ""
        while True:
            told = (await retention(desk, path=f"{path}?limit=2{after}")).json()
            found += [each["id"] for each in told["items"]]
            if told["next"] is None:
                return found
            after = f"&after={told['next']}"

    listed = await pages("")
    assert (len(listed), set(listed)) == (3, made)
    assert (await retention(desk, path=f"?after={uuid.UUID(int=7)}")).status_code == 404
    await run(desk)
    stones = await pages("/tombstones")
    assert (len(stones), set(stones)) == (3, made)


@pytest.mark.asyncio(loop_scope="function")
async def test_a_list_goes_on_behind_a_case_that_was_destroyed_or_opened_again_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.breach_reports.destroying.MOST", 2)
    spam = (await dismissed(desk, "spam"))[0]
    pass_(desk, 2 * DAY)
    first, second, third = [(await dismissed(desk))[0] for _ in range(3)]
    whole = await closed(desk)
    pass_(desk, YEAR + 2 * DAY)
    ids = await preview_ids(desk)
    assert (ids[0], set(ids[1:4]), ids[4]) == (spam, {first, second, third}, whole)
    assert set((await run(desk))["destroyed"]) == set(ids[:2])
    for after, rest in ((ids[0], ids[2:]), (ids[1], ids[2:]), (ids[3], [whole])):
        told = (await retention(desk, path=f"?after={after}&limit=3")).json()
        assert [each["id"] for each in told["items"]] == rest[:3]
    await run(desk)
    await done(desk, f"/{whole}/state", {"state": "remediating"})
    last = await closed(desk)
    for after in (whole, ids[3]):
        assert [each["id"] for each in (await retention(desk, path=f"?after={after}")).json()["items"]] == [last]
    waiting = await report(desk)
    assert [each["id"] for each in (await retention(desk, path=f"?after={waiting}")).json()["items"]] == [last], "none is left out"
    assert (await retention(desk, path=f"?after={uuid.UUID(int=7)}")).status_code == 404


@pytest.mark.asyncio(loop_scope="function")
async def test_whoever_a_case_is_kept_from_is_not_told_by_a_page_that_there_is_or_was_one(desk: Desk):
    await hidden_run(desk)
    [case] = [each["id"] for each in (await retention(desk)).json()["items"]]
    assert (await retention(desk, path=f"?after={case}", who="second_officer")).status_code == 404
    association = desk.world.association
    assert await association.run(lambda deed: close(deed, association=association, line=line("report", case, "no_basis"))) == 1
    assert (await retention(desk, path=f"?after={case}")).json()["items"] == []
    assert (await retention(desk, path=f"?after={case}", who="second_officer")).status_code == 404


@pytest.mark.asyncio(loop_scope="function")
async def test_of_two_runs_over_one_case_the_second_finds_nothing_left_to_do(desk: Desk):
    await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    first, second = await proposed_run(desk), await proposed_run(desk)
    assert len((await release(desk, first)).json()["destroyed"]) == 1
    assert (await release(desk, second)).json()["code"] == "run-nothing-due"
    assert (await retention(desk, "POST", f"/{second}/rejection", who="second_officer")).status_code == 200, "it can be turned down"


@pytest.mark.asyncio(loop_scope="function")
async def test_rows_of_a_destroyed_case_put_back_by_hand_are_named_and_open_nothing(desk: Desk):
    id_, given = await dismissed(desk)
    every = (tables.report, tables.report_key, tables.part)
    with desk.world.database.connect() as connection:
        kept = {each: [dict(row._mapping) for row in connection.execute(select(each))] for each in every}
    pass_(desk, YEAR + 2 * DAY)
    await run(desk)
    with desk.world.database.connect() as connection, connection.begin():
        for table, content in kept.items():
            connection.execute(insert(table), content)
    found = desk.findings()
    assert {each.split()[0] for each in found} == {"breach_report", "breach_report_key", "breach_report_part"}
    assert (await desk.public("/status", {"receipt": given["receipt"]})).status_code in {404, 503}
    assert (await desk.as_("officer", "GET", f"/{id_}")).status_code in {401, 404}


def line(what: Any, id_: str, outcome: str) -> Line:
    """The journal's line of a case that was destroyed in the history that is lost, which was longer than this one."""
    return Line(1_000_000, START, Ending("00" * 16, START, outcome).closing(what, plain(id_)))


@pytest.mark.asyncio(loop_scope="function")
async def test_the_letters_of_a_destroyed_incident_tell_of_nobody_and_their_rows_are_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.breach_reports.tombstones.FACTS_IN_AN_ENTRY", 2)
    id_ = await opened(desk)
    records = [await person(desk.world, number) for number in (1, 2, 3)]
    number = await noticed(desk, id_, *records)
    kept = rows_of(desk.world, outbox)
    assert len(kept) == 3
    await settled(desk, id_)
    other = await opened(desk)
    await noticed(desk, other, records[0])
    before = {one.id: one for one in letters_of(desk)}
    assert {one.record for one in before.values()} == {plain(record) for record in records}
    pass_(desk, 5 * YEAR)
    assert plain(id_) in [plain(each) for each in (await run(desk))["destroyed"]]
    after = {one.id: one for one in letters_of(desk)}
    hers = [one for one in after.values() if one.incident == plain(id_)]
    assert [(one.record, one.subject, one.state) for one in hers] == [("", "", "removed")] * 3
    assert [one for one in after.values() if one.incident != plain(id_)] == [one for one in before.values() if one.incident != plain(id_)]
    assert {row["incident"].hex() for row in rows_of(desk.world, outbox)} == {plain(other)}
    told = [entry for entry in desk.world.entries() if entry.kind == "incident.letters-destroyed"]
    assert [(entry.count, entry.about[0].subject.hex()) for entry in told] == [(2, plain(id_)), (1, plain(id_))]
    assert number > 0
    assert findings(desk) == []


@pytest.mark.asyncio(loop_scope="function")
async def test_a_database_put_back_from_a_copy_loses_the_case_again_by_the_journal(desk: Desk):
    id_ = await report(desk)
    case = await closed(desk, id_)
    association = desk.world.association
    lines = [line("report", id_, "linked"), line("incident", case, "closed"), line("report", str(uuid.UUID(int=7)), "spam")]
    closed_ = [await association.run(partial(close, association=association, line=each)) for each in (*lines, *lines)]
    assert closed_ == [1, 1, 0, 0, 0, 0]
    assert set(rows(desk).values()) == {0}
    assert findings(desk) == []
    await incident(desk, "officer", "GET", "")
    stones = (await retention(desk, path="/tombstones")).json()["items"]
    assert {each["what"]: (each["outcome"], each["reference"][:3]) for each in stones} == {
        "report": ("linked", "BR-"),
        "incident": ("closed", "IN-"),
    }
    assert [each.closing.kind for each in association.log.journal.lines()][-2:] == [JOURNAL, JOURNAL]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_report_destroyed_again_that_the_copy_still_links_leaves_its_incident_workable(desk: Desk):
    id_, other = await report(desk), await report(desk)
    case = await opened(desk, id_, other)
    association = desk.world.association
    assert await association.run(lambda deed: close(deed, association=association, line=line("report", id_, "no_basis"))) == 1
    assert findings(desk) == []
    second = await desk.world.person("second_officer")
    assert (await done(desk, f"/{case}/exclusion", {"staff": str(uuid.UUID(second.id))}))["id"] == case
    await desk.report()
    assert (await desk.as_("officer", "GET", f"/{other}")).status_code == 200


@pytest.mark.asyncio(loop_scope="function")
async def test_a_case_whose_fact_does_not_hold_goes_all_the_same_by_the_journal_and_an_alarm_tells(desk: Desk):
    id_ = await report(desk)
    association = desk.world.association
    with desk.world.database.connect() as connection, connection.begin():
        enter(connection, association.id)
        connection.execute(update(fact).where(fact.c.kind == BREACH_REPORT.name).values(sealed=b"altered"))
    assert await association.run(lambda deed: close(deed, association=association, line=line("report", id_, "spam"))) == 1
    assert set(rows(desk).values()) == {0}
    assert findings(desk) == []
    assert [entry.reason for entry in desk.world.entries() if entry.kind == "alarm"] == ["INTEGRITY"]


@pytest.mark.asyncio(loop_scope="function")
async def test_the_files_of_a_case_go_with_it_and_those_on_their_way(desk: Desk):
    answer = await sent(desk, ("a.pdf", PDF))
    assert answer.status_code == 201, answer.text
    await incident(desk, "officer", "GET", "")
    [item] = (await desk.as_("officer", "GET", "")).json()["items"]
    assert rows(desk)["breach_report_chunk"] > 0
    association, lost = desk.world.association, uuid.UUID(item["id"]).bytes

    def lying(deed: Any) -> None:
        file_tables.begin(deed, b"f" * 16, lost)
        file_tables.add(deed, b"f" * 16, 0, [b"on its way"])

    await association.run(lying)
    assert await association.run(lambda deed: close(deed, association=association, line=line("report", item["id"], "spam"))) == 1
    assert set(rows(desk).values()) == {0}
    assert desk.findings() == []


@pytest.mark.parametrize(
    ("closed_at", "months", "due"),
    [
        ("2024-02-29T09:00:00Z", 12, "2025-02-28T21:00:00Z"),
        ("2026-01-05T21:30:00Z", 60, "2031-01-06T21:00:00Z"),  # already the sixth in Riyadh
        ("2026-01-31T09:00:00Z", 1, "2026-02-28T21:00:00Z"),
        ("2026-01-31T09:00:00Z", 0, "2026-02-28T21:00:00Z"),  # no pack keeps it for less than a month
    ],
)
def test_months_end_with_the_day_in_riyadh_and_never_early(closed_at: str, months: int, due: str):
    dismissal = Dismissal(reason="no_basis", proposed_by="", proposed_at=0, settled_by="x", settled_at=parse_time(closed_at))
    given: dict[str, Any] = {"id": "00", "reference": "", "state": "dismissed", "received_at": 0, "language": "ar", "category": "other"}
    one = ReportFact(**given, receipt="", parts=(), dismissal=dismissal)
    [term] = terms({"00": one}, {}, {"breach_dismissed": months})
    assert (write_time(term.due_at), term.is_due(term.due_at), term.is_due(term.due_at - 1)) == (due, True, False)


@pytest.mark.parametrize(
    ("months", "due"), [({}, "2031-01-05"), ({"breach_incident": 1}, "2031-01-05"), ({"breach_incident": 84}, "2033-01-05")]
)
def test_a_pack_keeps_incidents_longer_and_never_for_less_than_five_years(months: dict[str, int], due: str):
    at = parse_time("2026-01-05T09:00:00Z")
    given: dict[str, Any] = {"id": "01", "reference": "", "state": "ruled_out", "opened_at": at, "opened_by": "", "aware_at": at}
    one = IncidentFact(**given, awareness=(), steps=(Step(state="ruled_out", by="", at=at),))
    [term] = terms({}, {"01": one}, months)
    assert write_time(term.due_at) == f"{due}T21:00:00Z"


@pytest.mark.asyncio(loop_scope="function")
async def test_what_a_lost_release_would_have_destroyed_stays_where_a_hold_was_laid_since(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_, _ = await dismissed(desk)
    other, given = await dismissed(desk)
    third, _ = await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    await lost_release(desk, monkeypatch)
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold", {"reason": "the court asks for it"})).status_code == 200
    assert (await desk.public("/messages", {"receipt": given["receipt"], "text": "there is more"})).status_code == 201
    assert reclose(desk.world.association, desk.world.clock) == 1
    assert [(await desk.as_("officer", "GET", f"/{each}")).status_code for each in (id_, other, third)] == [200, 200, 404]
    assert [entry.reason for entry in desk.world.entries() if entry.kind == "alarm"] == ["DESTRUCTION_OVERTAKEN"] * 2


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("falsified", [False, True])
async def test_a_hold_on_an_incident_keeps_its_reports_from_a_lost_release(desk: Desk, monkeypatch: pytest.MonkeyPatch, *, falsified: bool):
    id_ = await report(desk)
    case = await closed(desk, id_)
    pass_(desk, 6 * YEAR)
    await lost_release(desk, monkeypatch)
    await incident(desk, "officer", "GET", "")
    await done(desk, f"/{case}/legal-hold", {"reason": PARTS})
    assert await preview(desk) == {(await read(desk, case))["reference"]: "legal-hold"}
    if falsified:
        with desk.world.database.connect() as connection, connection.begin():
            enter(connection, desk.world.association.id)
            connection.execute(update(fact).where(fact.c.kind == INCIDENT.name).values(sealed=b"altered"))
    assert reclose(desk.world.association, desk.world.clock) == 0
    assert rows(desk)["breach_report"] == 1
    assert [entry.reason for entry in desk.world.entries() if entry.kind == "alarm"].count("DESTRUCTION_OVERTAKEN") == 2


async def lost_release(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose commit was lost after its lines were in the journal."""
    waiting = await proposed_run(desk)
    await retention(desk, who="second_officer")
    lost(desk.world, monkeypatch)
    assert (await release(desk, waiting)).status_code == 503


async def dismissed_in(desk: Desk, case: str, id_: str) -> None:
    """A report of an incident that two people dismiss as spam."""
    await incident(desk, "second_officer", "GET", "")
    assert (await desk.as_("officer", "POST", f"/{id_}/dismissal", {"reason": "spam"})).status_code == 200, case
    body = {"reason": "spam", "code": desk.world.one_time_code("second_officer")}
    assert (await desk.as_("second_officer", "POST", f"/{id_}/dismissal/approval", body)).status_code == 200


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("held", ["incident", "other"])
async def test_nobody_takes_a_report_from_under_the_hold_of_its_incident(desk: Desk, held: str):
    id_, other = await report(desk), await report(desk)
    case = await opened(desk, id_, other)
    if held == "incident":
        await done(desk, f"/{case}/legal-hold", {"reason": PARTS})
    else:
        assert (await desk.as_("officer", "POST", f"/{other}/legal-hold", {"reason": PARTS})).status_code == 200
    await dismissed_in(desk, case, id_)
    assert await refused(desk, f"/{case}/unlink", {"report": id_, "reason": PARTS}) == (409, "hold-state", [])
    pass_(desk, 20 * DAY)
    assert await preview(desk) == {}


@pytest.mark.asyncio(loop_scope="function")
async def test_a_report_taken_out_of_an_incident_is_kept_from_then_on(desk: Desk):
    id_ = await report(desk)
    case = await opened(desk, id_)
    await dismissed_in(desk, case, id_)
    pass_(desk, 20 * DAY)
    await incident(desk, "officer", "GET", "")
    await done(desk, f"/{case}/unlink", {"report": id_, "reason": PARTS})
    assert list((await preview(desk)).values()) == ["soon"]
    pass_(desk, 15 * DAY)
    assert list((await preview(desk)).values()) == ["due"]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_case_full_of_notes_can_be_held_and_filed_late_all_the_same(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    id_, case = await report(desk), await opened(desk, aware_at=write_time(START))
    monkeypatch.setattr("vault.breach_reports.case.MOST_PARTS", 1)
    assert (await desk.as_("officer", "POST", f"/{id_}/triage", {"finding": "no_breach", "note": PARTS})).status_code == 429
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold", {"reason": PARTS})).status_code == 200
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold/lifting", {"reason": PARTS})).status_code == 200
    assert (await desk.as_("officer", "POST", f"/{id_}/legal-hold/lifting", {"reason": PARTS})).status_code == 429, "once is enough"
    assert (await refused(desk, f"/{case}/assessment", {"sensitive": "no", "over_100": "no", "note": PARTS}))[0] == 429
    pass_(desk, 4 * DAY)
    body = {"track": "authority", "filed_at": now(desk), "reference": "SDAIA-1", "late_reason": PARTS}
    assert (await done(desk, f"/{case}/filing", body))["authority"] == "late"
    await done(desk, f"/{case}/legal-hold", {"reason": PARTS})
    monkeypatch.setattr("vault.breach_reports.case.KEPT_FREE", 0)
    other = await opened(desk)
    assert await refused(desk, f"/{other}/legal-hold", {"reason": PARTS}) == (429, "too-many-requests", [])


@pytest.mark.asyncio(loop_scope="function")
async def test_whom_every_case_of_a_run_excludes_is_not_told_of_it_and_cannot_use_it_up(desk: Desk):
    hidden = await hidden_run(desk)
    assert (await retention(desk, who="second_officer")).json()["waiting"] is None
    assert (await release(desk, hidden)).status_code == 404
    assert (await retention(desk)).json()["waiting"]["id"] == hidden, "it waits still for somebody who may see it"
    await dismissed(desk)
    pass_(desk, YEAR + 2 * DAY)
    seen = (await retention(desk, "POST", who="second_officer")).json()["id"]
    desk.world.clock.forward(60)
    newest = await proposed_run(desk)
    assert (await retention(desk, path=f"/{seen}/rejection", method="POST", who="second_officer")).status_code == 200
    told = (await retention(desk, who="second_officer")).json()["waiting"]
    assert (told["id"], len(told["cases"])) == (newest, 1), "the newest she may see, without what is kept from her"
