"""The auditor's ten questions: what belongs into an answer is in it, nothing else is, and it is complete to a checkpoint."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.access.desk import Desk
from tests.access.erasures import erased
from tests.access.test_silences import joined
from tests.household import HOUR, asked, errand, grant, lay_down, partner, read, store, withdraw
from tests.simulator import START, World
from vault.access import questions
from vault.access.audit_api import ROUTES as AUDIT
from vault.access.questions import QUESTIONS
from vault.access.questions_api import ROUTES
from vault.access_log.checkpoint import opened
from vault.access_log.entry import About
from vault.breach_reports.shapes import EXCLUSIONS, ExclusionsFact
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def ask(world: World, question: str, token: str | None = None, status: int = 200, **query: Any) -> Any:
    by = token or await world.session("officer")
    async with world.front(*ROUTES) as http:
        params = {{"since": "from", "until": "to"}.get(name, name): value for name, value in query.items()}
        answer = await http.get(f"/v1/access-log/questions/{question}", params=params, headers={"Authorization": f"Bearer {by}"})
    assert answer.status_code == status, answer.text
    return answer.json()


def indexes(answer: Any) -> list[int]:
    return [one["entry"]["index"] for one in answer["items"]]


def at(world: World, *kinds: str, outcome: str = "allow") -> list[int]:
    """The numbers of the entries of these kinds, newest first."""
    found = [number for number, entry in enumerate(world.entries()) if entry.kind in kinds and entry.outcome == outcome]
    return found[::-1]


async def tell(world: World, **members: Any) -> None:
    """An entry of the log as a defect or a keeper would leave one."""
    job = await errand(world)
    await world.association.run(lambda deed: deed.append(job.entry(**{"outcome": "allow", **members})))


async def test_who_saw_a_person_and_what_somebody_saw(vault: World):
    kept, other = await store(vault), await store(vault)
    for one in (kept, other):
        await grant(vault, one.record)
        await read(vault, one.record)
    await read(vault, kept.record)
    reads = at(vault, "record.read")
    found = await ask(vault, "who-saw", record=str(uuid.UUID(bytes=kept.record)))
    assert indexes(found) == [reads[0], reads[2]]
    assert vault.entries()[-1].about[0].record == kept.record, "the asking shows in her own report"
    system = (await vault.system()).ref
    assert indexes(await ask(vault, "what-was-seen-by", actor=system)) == reads
    assert indexes(await ask(vault, "what-was-seen-by", actor="staff:" + "0" * 32)) == []


async def test_who_saw_a_person_is_asked_of_all_her_records(vault: World):
    kept = await store(vault)
    other = await store(vault, {"full_name": "فاطمة الشمري"}, type_="donor", known=kept.subject)
    await grant(vault, other.record, await asked(vault, fields=frozenset({"full_name"})))
    await read(vault, other.record, fields=("full_name",))
    assert indexes(await ask(vault, "who-saw", record=str(uuid.UUID(bytes=kept.record)))) == at(vault, "record.read")


async def test_a_person_of_two_records_is_one_to_every_question(vault: World):
    one, other = await store(vault), await store(vault)
    await grant(vault, one.record)
    await read(vault, one.record)
    await joined(vault, one.subject, other.subject)
    vault.clock.forward(1)
    await read(vault, other.record)
    assert (await ask(vault, "without-basis"))["items"] == [], "what she agreed to through one record is a basis for the other"
    for record in (one.record, other.record):
        assert indexes(await ask(vault, "who-saw", record=str(uuid.UUID(bytes=record)))) == at(vault, "record.read")
        between = await ask(vault, "between", record=str(uuid.UUID(bytes=record)), since=write_time(START), limit=500)
        assert {at(vault, "record.stored")[0], at(vault, "record.stored")[1]} <= set(indexes(between))
        system = (await vault.system()).ref
        assert indexes(await ask(vault, "what-was-seen-by", actor=system, record=str(uuid.UUID(bytes=record)))) == at(vault, "record.read")


async def test_an_answer_is_complete_to_its_checkpoint_and_the_asking_is_an_entry(vault: World):
    kept = await store(vault)
    found = await ask(vault, "between", since=write_time(START), limit=500)
    below = opened(found["checkpoint"], vault.association.cabinet.signer.vkey_at, vault.code).size
    assert found["complete_to"] == below
    assert indexes(found) == list(range(below))[::-1]
    told = vault.entries()[-1]
    assert (told.kind, told.outcome, told.flags, told.count) == ("access_log.asked", "allow", ("between",), below)
    assert str(kept.record.hex()) not in str(found["question"])
    vault.clock.forward(5)
    later = await ask(vault, "between", since=write_time(START), until=write_time(START))
    assert indexes(later) == []
    later = await ask(vault, "between", since=write_time(START + 1), limit=500)
    assert indexes(later) == list(range(below + 1, later["complete_to"]))[::-1]


async def test_what_was_given_without_a_basis_or_on_a_consent_that_was_gone_is_named_with_why(vault: World):
    kept = await store(vault)
    sound = await grant(vault, kept.record)
    short = await grant(vault, kept.record, await asked(vault, "internal_research", expires_at=vault.clock.now + HOUR))
    await read(vault, kept.record)
    assert (await ask(vault, "without-basis"))["items"] == []
    about = (About(kept.subject, kept.record),)
    reading = {"kind": "decision", "about": about, "fields": ("full_name",), "purpose": "service_delivery"}
    reading["kind"] = "disclosure.decided"
    await tell(vault, **reading, basis="none")
    await tell(vault, **reading, basis="electronic_consent", consents=("ab" * 16,))
    vault.clock.forward(2 * 3600)
    await tell(vault, **{**reading, "purpose": "internal_research"}, basis="electronic_consent", consents=(short.id.hex(),))
    await withdraw(vault, sound.id)
    vault.clock.forward(1)
    await tell(vault, **reading, basis="electronic_consent", consents=(sound.id.hex(),))
    found = await ask(vault, "without-basis")
    assert [one["why"] for one in found["items"]] == ["consent-ended", "consent-expired", "consent-unknown", "basis-none"]


async def test_off_hours_are_those_of_the_declared_week_and_of_people(desk: Desk):
    world = desk.world
    kept = await store(world)
    body = {
        "record": str(uuid.UUID(bytes=kept.record)),
        "action": "use",
        "purpose": "service_delivery",
        "recipient": "INTERNAL",
        "fields": ["full_name"],
    }
    await desk.post("/v1/decisions", body)
    assert (await ask(world, "off-hours"))["items"] == [], "a system has no hours"
    await desk.post("/v1/decisions", body, desk.officer)
    world.clock.now = START + 7 * HOUR
    await desk.post("/v1/decisions", body, await world.session("officer"))
    found = await ask(world, "off-hours")
    assert [(one["entry"]["index"], one["why"]) for one in found["items"]] == [(at(world, "decision", outcome="refuse")[1], "off-hours")]


async def test_who_had_a_study_made_at_night_is_found_where_it_looked_at_somebody(vault: World):
    kept = await store(vault)
    job, about = await errand(vault), (About(kept.subject, kept.record),)
    looked_at = [
        replace(job.entry(kind="research", outcome=one, about=about), on_behalf="staff:" + "aa" * 16) for one in ("allow", "refuse")
    ]
    await vault.association.run(lambda deed: [deed.append(one) for one in looked_at])
    assert indexes(await ask(vault, "off-hours")) == at(vault, "research", outcome="allow")


async def test_what_went_to_a_recipient(vault: World):
    await partner(vault)
    kept = await store(vault)
    await tell(vault, kind="disclose", about=(About(kept.subject, kept.record),), recipient="partner", basis="written_consent")
    await tell(vault, kind="disclose", about=(About(kept.subject, kept.record),), recipient="court", basis="judicial_order")
    assert indexes(await ask(vault, "given-to", recipient="partner")) == [at(vault, "disclose")[1]]


async def test_refusals_emergencies_and_readers_of_the_log(vault: World):
    kept = await store(vault)
    await errand(vault)
    with pytest.raises(Exception, match="no-consent"):
        await read(vault, kept.record)
    await tell(vault, kind="access.break_glass", about=(About(kept.subject, kept.record),), flags=("break-glass",))
    assert indexes(await ask(vault, "refused")) == at(vault, "record.read", outcome="refuse")
    assert indexes(await ask(vault, "break-glass")) == at(vault, "access.break_glass")
    assert indexes(await ask(vault, "who-read-the-log")) == at(vault, "access_log.asked")[1:]


async def test_who_took_evidence_for_an_incident_out_of_the_log_read_it(small: World):
    kinds = ("incident.evidence-saved", "incident.evidence-read", "incident.exported")
    for kind in kinds:
        await tell(small, kind=kind, basis="law")
    assert indexes(await ask(small, "who-read-the-log")) == at(small, *kinds)


async def test_what_was_read_after_an_erasure(desk: Desk):
    vault = desk.world
    kept, other = await store(vault), await store(vault)
    for one in (kept, other):
        await grant(vault, one.record)
        await read(vault, one.record)
    await erased(desk, kept.record)
    assert (await ask(vault, "after-erasure"))["items"] == []
    await tell(vault, kind="disclose", about=(About(kept.subject, kept.record),), basis="none")
    await tell(vault, kind="disclose", about=(About(other.subject, other.record),), basis="none")
    found = await ask(vault, "after-erasure")
    assert [(one["entry"]["index"], one["why"]) for one in found["items"]] == [(at(vault, "disclose")[1], "after-erasure")]
    # Of whom nothing is left no consent can be judged: what names one of hers is not called wrong for that.
    assert [one["why"] for one in (await ask(vault, "without-basis"))["items"]] == ["basis-none", "basis-none"]


async def test_pages_join_to_the_whole_and_no_answer_looks_at_more_than_it_may(vault: World, monkeypatch: pytest.MonkeyPatch):
    kept = await store(vault)
    await grant(vault, kept.record)
    for _ in range(7):
        await read(vault, kept.record)
    reads, found = at(vault, "record.read"), []
    after: dict[str, Any] = {}
    for _ in range(4):
        page = await ask(vault, "who-saw", record=str(uuid.UUID(bytes=kept.record)), limit=2, **after)
        found += indexes(page)
        after = {"after": page["next"]}
    assert found == reads
    monkeypatch.setattr(questions, "MOST_LOOKED_AT", 3)
    page = await ask(vault, "without-basis")
    assert (page["items"], page["looked_at"], page["next"]) == ([], 3, reads[2])
    monkeypatch.setattr(questions, "AT_ONCE", 2)
    monkeypatch.setattr(questions, "MOST_LOOKED_AT", 100)
    page = await ask(vault, "without-basis")
    assert (page["looked_at"], page["next"]) == (7, None)


async def test_what_is_about_a_case_is_withheld_from_whom_it_excludes_and_counted(vault: World):
    kept = await store(vault)
    officer = (await vault.person("officer")).id
    case = uuid.uuid4()
    await lay_down(vault, EXCLUSIONS, officer, ExclusionsFact(cases=(case.hex,)))
    await tell(vault, kind="breach_report.triaged", about=(About(case.bytes, case.bytes),))
    mine = await ask(vault, "between", since=write_time(START), limit=500)
    other = await ask(vault, "between", since=write_time(START), token=await vault.session("second_officer"), limit=500)
    [hidden] = at(vault, "breach_report.triaged")
    assert (hidden in indexes(other), other["withheld"]) == (True, 0)
    assert (hidden in indexes(mine), mine["withheld"]) == (False, 1)
    # Whatever is asked for, the number is that of the whole log: no question tells which entry it is.
    asked: tuple[dict[str, Any], ...] = ({"actor": f"staff:{officer}"}, {"until": write_time(START)}, {"limit": 1})
    for narrower in asked:
        wanted: dict[str, Any] = {"since": write_time(START), **narrower}
        assert (await ask(vault, "between", **wanted))["withheld"] == 1
    by = {"Authorization": f"Bearer {await vault.session('officer')}"}
    async with vault.front(*AUDIT) as http:
        page = (await http.get("/v1/access-log?limit=500", headers=by)).json()
        assert (hidden in [one["index"] for one in page["items"]], page["withheld"]) == (False, 1)
        size = len(vault.entries())
        bundle = await http.get(f"/v1/access-log/tile/entries/000.p/{size}", headers=by)
        assert (bundle.status_code, bundle.json()["code"]) == (403, "excluded")
        assert (await http.get(f"/v1/access-log/tile/entries/000.p/{hidden}", headers=by)).status_code == 200
        assert (await http.get(f"/v1/access-log/tile/0/000.p/{size}", headers=by)).status_code == 200
        another = {"Authorization": f"Bearer {await vault.session('second_officer')}"}
        assert (await http.get(f"/v1/access-log/tile/entries/000.p/{size}", headers=another)).status_code == 200
        report = (await http.get(f"/v1/records/{uuid.UUID(bytes=kept.record)}/access-report", headers=by)).json()
        assert report["withheld"] == 1
    await lay_down(vault, EXCLUSIONS, officer, ExclusionsFact())
    shown = await ask(vault, "between", since=write_time(START), limit=500)
    assert (hidden in indexes(shown), shown["withheld"]) == (True, 0)


@pytest.mark.parametrize(
    ("question", "field"),
    [(name, one.needs) for name, one in QUESTIONS.items() if one.needs],
)
async def test_what_a_question_needs_is_asked_for(small: World, question: str, field: str):
    answer = await ask(small, question, status=422)
    assert answer["errors"] == [{"field": field, "code": "missing"}]
    assert (await ask(small, "who-is-who", status=404))["code"] == "not-found"


async def test_there_are_ten(small: World):
    assert len(QUESTIONS) == 10
    assert (await ask(small, "refused", token=small.ceremony.api_key, status=403))["code"] == "out-of-scope"
