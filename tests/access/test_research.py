"""Research inside the house: tables and extracts of two people's making, with a verdict and an entry before each cell (article 6.3)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.access.attacker import bounds
from tests.access.counter import told
from tests.access.desk import put, rows_of, written
from tests.access.erasures import orphan, verified
from tests.access.laboratory import AGE, GENDER, HOUSING, INCOME, PURPOSE, REGION, Laboratory, people, settle
from tests.access.test_race import second_process
from tests.household import agreement, errand, grant, lay_down, partner, store, withdraw
from tests.simulator import World
from vault.access import counting, extracts, research, studies
from vault.access.examine import studied
from vault.access.research import month_of
from vault.access.study_shapes import STUDY
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot
from vault.errors import Refused
from vault.identity.scopes import PARTY_SCOPES
from vault.policy.events import Locked, Restricted, SubjectDeceased
from vault.reclosing import reclose
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import PURPOSE as PURPOSE_KIND
from vault.rulebook.shapes import RECORD_TYPE, STAFF
from vault.rulebook.study_keys import study_key
from vault.storage.journal import Closing
from vault.subjects import people as subjects
from vault.subjects.sheet import happened
from vault.subjects.tables import sheet

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600
WOMAN = {"birth_date": "1990-05-10", "gender": "female", "short_address": "RRRD2929", "monthly_income": 3000, "housing": "إيجار"}
MAN = {"birth_date": "1950-01-01", "gender": "male", "short_address": "MMMD2929", "monthly_income": 1000, "housing": "ملك"}
HOUSE = people((14, WOMAN), (13, MAN), (3, WOMAN | {"short_address": "MMMD2929"}), (2, MAN | {"gender": "unspecified"}))


@pytest_asyncio.fixture
async def lab(vault: World) -> AsyncIterator[Laboratory]:
    async with Laboratory.over(vault) as made:
        yield made


@pytest_asyncio.fixture
async def small_lab(small: World) -> AsyncIterator[Laboratory]:
    async with Laboratory.over(small) as made:
        yield made


def looked_at(world: World) -> list[Entry]:
    return [entry for entry in world.entries() if entry.kind == counting.LOOKED_AT]


def numbers(release: dict[str, Any]) -> dict[tuple[str | None, ...], int | None]:
    """The numbers of a table by the bands of its dimensions, in order."""
    names = [each["name"] for each in release["dimensions"]]
    return {tuple(one["at"].get(name) for name in names): one["people"] for one in release["numbers"]}


def require_closed(release: dict[str, Any]) -> None:
    """Nothing that is hidden in this table comes out of it, by what it says itself."""
    named = [each["bands"] for each in release["dimensions"]]
    at = {
        tuple(None if band is None else bands.index(band) for bands, band in zip(named, key, strict=True)): people_
        for key, people_ in numbers(release).items()
    }
    assert all(people_ is None or people_ >= 10 for people_ in at.values())
    assert all(high is None or high - low >= 10 for low, high in bounds(at, [len(each) for each in named]).values())


async def test_a_table_is_of_two_peoples_making_and_every_cell_opened_has_its_entry_before(lab: Laboratory):
    given = await settle(lab.world, HOUSE)
    await store(lab.world, people((1, WOMAN))[0] | {"national_id": None, "identity_note": "x"})
    await lab.laid_down("by_region", REGION, GENDER)
    release = await lab.released("by_region")
    told_of = [entry for entry in looked_at(lab.world) if entry.outcome == "allow"]
    assert len(told_of) == len(given)
    assert {entry.about[0].record for entry in told_of} == {record for record, _ in given}
    assert {(entry.fields, entry.purpose, entry.recipient, entry.basis, entry.article, len(entry.consents)) for entry in told_of} == {
        (("gender", "short_address"), PURPOSE, "INTERNAL", "electronic_consent", "cooperative:6.3", 1)
    }
    [left_out] = [entry for entry in looked_at(lab.world) if entry.outcome == "refuse"]
    assert (left_out.reason, left_out.count) == ("NO_CONSENT", 1)
    [last] = [entry for entry in lab.world.entries() if entry.kind == research.RELEASED]
    assert (last.outcome, last.count, last.article) == ("allow", len(given), None)
    shown = numbers(release)
    assert shown[None, None] == len(given)
    assert (shown["riyadh", "female"], shown["makkah", "female"], shown["makkah", "male"]) == (None, None, None)
    require_closed(release)
    report = await lab.ask("officer", "GET", f"/records/{written(given[0][0])}/access-report")
    assert "research" in report.text
    assert await verified(lab.world) == []


async def test_a_month_has_one_release_and_whoever_asks_again_gets_that_one(lab: Laboratory):
    given = await settle(lab.world, HOUSE)
    await lab.laid_down("by_region", REGION)
    first = await lab.released("by_region")
    before = len(looked_at(lab.world))
    await settle(lab.world, [one | {"national_id": None, "identity_note": "x"} for one in people((12, WOMAN))])
    await withdraw(lab.world, given[0][1])
    assert await lab.released("by_region") == first
    month = first["month"]
    assert (await lab.ask("key", "GET", f"/research/by_region/releases/{month}")).json() == first
    assert len(looked_at(lab.world)) == before
    assert [entry.kind for entry in lab.world.entries()][-2:] == [research.READ, research.READ]
    lab.world.clock.forward(31 * DAY)
    again = await lab.released("by_region")
    assert (again["month"] > month, numbers(again)[None,]) == (True, len(given) + 11)
    assert (await lab.ask("key", "GET", f"/research/by_region/releases/{month}")).json() == first
    for wrong in ("2026-13", "2025-01", "x"):
        assert told(await lab.ask("key", "GET", f"/research/by_region/releases/{wrong}")) == (404, "not-found")


async def test_the_second_month_hides_what_the_first_hid(small_lab: Laboratory):
    world = small_lab.world
    given = await settle(world, people((5, WOMAN), (12, MAN), (20, WOMAN | {"gender": "unspecified"})))
    await small_lab.laid_down("by_gender", GENDER)
    first = numbers(await small_lab.released("by_gender"))
    assert (first["female",], first["male",], first["other",]) == (None, None, 20)
    for _, consent in given[17:26]:
        await withdraw(world, consent)
    world.clock.forward(31 * DAY)
    second = numbers(await small_lab.released("by_gender"))
    assert (second["female",], second["male",], second["other",]) == (None, None, 11)
    world.clock.forward(334 * DAY)  # over the end of a year
    third = numbers(await small_lab.released("by_gender"))
    assert (third["female",], third["male",], third["other",]) == (None, 12, None)


async def test_two_who_have_it_made_at_once_get_one_release(lab: Laboratory):
    await settle(lab.world, HOUSE)
    await lab.laid_down("by_region", REGION)
    job = Errand(await lab.world.system(), "request-1")
    both = await asyncio.gather(*(research.release(job, "by_region", "INTERNAL") for _ in range(3)))
    assert len({msgspec.json.encode(one.release) for one in both}) == 1
    assert len([entry for entry in lab.world.entries() if entry.kind == research.RELEASED]) == 1


async def test_two_processes_make_one_release_of_a_month(lab: Laboratory):
    await settle(lab.world, people((12, WOMAN)))
    await lab.laid_down("by_region", REGION)
    system = await lab.world.system()
    with second_process(lab.world, system) as other:
        one, two = await asyncio.gather(
            *(research.release(job, "by_region", "INTERNAL") for job in (Errand(system, "request-1"), other.job))
        )
    assert one.release == two.release
    assert len([entry for entry in lab.world.entries() if entry.kind == research.RELEASED]) == 1


async def test_who_withdraws_while_others_are_looked_at_is_not_counted(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    world = small_lab.world
    given = await settle(world, HOUSE)
    monkeypatch.setattr(counting, "AT_ONCE", 10)
    await small_lab.laid_down("by_region", REGION)
    turned, opened = dict.fromkeys(given[:3]), counting.look
    loop = asyncio.get_running_loop()

    def held(page: Any, *more: Any) -> None:
        opened(page, *more)
        for _, consent in [one for one in turned if any(judged.asked.record == one[0] for judged in page.judged)]:
            asyncio.run_coroutine_threadsafe(withdraw(world, consent), loop).result(10)

    monkeypatch.setattr(counting, "look", held)
    release = await small_lab.released("by_region")
    assert numbers(release)[None,] == len(given) - 3
    gone = [entry for entry in looked_at(world) if entry.reason == "CONSENT_WITHDRAWN"]
    assert {about.record for entry in gone for about in entry.about} == {record for record, _ in turned}
    assert [entry.count for entry in world.entries() if entry.kind == research.RELEASED] == [len(given) - 3]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let this happen once, while the first page is looked at."""
    left, opened, loop = [happens], counting.look, asyncio.get_running_loop()

    def held(*given: Any) -> None:
        opened(*given)
        if left:
            asyncio.run_coroutine_threadsafe(left.pop()(), loop).result(30)

    monkeypatch.setattr(counting, "look", held)


async def test_who_is_erased_meanwhile_is_not_counted_and_who_agrees_to_more_is(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    world = small_lab.world
    given = await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("by_region", REGION)

    async def happens() -> None:
        await small_lab.erased(given[0][0])
        await grant(world, given[1][0])

    meanwhile(monkeypatch, happens)
    assert numbers(await small_lab.released("by_region"))[None,] == 11


@pytest.mark.parametrize("at_once", [500, 1])
async def test_two_who_are_found_to_be_one_meanwhile_are_counted_once(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch, at_once: int):
    world = small_lab.world
    given = sorted(await settle(world, people((12, WOMAN))))
    await small_lab.laid_down("by_region", REGION)
    monkeypatch.setattr(counting, "AT_ONCE", at_once)
    job = await errand(world)

    def unit(deed: Deed) -> None:
        one, other = (subjects.of_record(deed, record) for record, _ in given[:2])
        closes = Closing("merge", one.subject.hex(), other.subject.hex())
        subjects.join(deed, one, other, job.entry(kind="test", outcome="allow"), by="system", closes=closes)

    async def happens() -> None:
        await world.association.run(unit)

    meanwhile(monkeypatch, happens)
    assert numbers(await small_lab.released("by_region"))[None,] == 11


async def test_a_build_that_reaches_into_the_next_month_is_of_neither(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("by_region", REGION)

    async def happens() -> None:
        world.clock.forward(31 * DAY)

    meanwhile(monkeypatch, happens)
    assert told(await small_lab.ask("key", "POST", "/research/by_region/release", {})) == (409, "month-over")
    assert numbers(await small_lab.released("by_region"))[None,] == 12


async def test_where_the_rules_change_meanwhile_nobody_is_counted_by_the_old_ones(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("by_region", REGION)
    purpose = (await world.association.refresh()).purposes[PURPOSE]

    async def happens() -> None:
        await lay_down(world, PURPOSE_KIND, PURPOSE, msgspec.structs.replace(purpose, forms=("written",)))

    meanwhile(monkeypatch, happens)
    assert told(await small_lab.ask("key", "POST", "/research/by_region/release", {})) == (409, "release-stale")
    assert set(numbers(await small_lab.released("by_region")).values()) == {None}


async def test_where_somebodys_rows_do_not_hold_nobody_is_counted(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    world = small_lab.world
    given = await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("by_region", REGION)
    whole = rows_of(world, sheet)

    async def happens() -> None:
        await withdraw(world, given[0][1])
        put(world, sheet, [row | {"sealed": bytes(300)} for row in rows_of(world, sheet)])

    meanwhile(monkeypatch, happens)
    for _ in range(2):  # while they are looked at, and before
        assert told(await small_lab.ask("key", "POST", "/research/by_region/release", {})) == (503, "integrity")
    assert not [entry for entry in world.entries() if entry.kind == research.RELEASED]
    assert len(whole) == 12


async def happened_to(world: World, record: bytes, event: Any) -> None:
    """Something that is written about somebody, by the system."""
    job = await errand(world)

    def unit(deed: Deed) -> None:
        known = subjects.of_record(deed, record)
        subjects.change(deed, known, [happened(event, at=deed.now, by="system")], job.entry(kind="test", outcome="allow"), record=record)

    await world.association.run(unit)


async def test_who_withdrew_died_is_restricted_or_erased_is_in_no_later_release(lab: Laboratory):
    world = lab.world
    given = await settle(world, people((20, WOMAN)))
    await lab.laid_down("rows", REGION, GENDER, form="extract")
    first = await lab.extract("rows")
    assert len(first["rows"]) == 20
    await withdraw(world, given[0][1])
    now = world.clock.now
    for (record, _), event in zip(given[1:4], (SubjectDeceased(now), Restricted(now), Locked(now)), strict=True):
        await happened_to(world, record, event)
    await lab.erased(given[4][0])
    world.clock.forward(31 * DAY)
    lab.tokens = {"key": lab.tokens["key"]}
    second = await lab.extract("rows")
    assert len(second["rows"]) == 15
    assert {one["pseudonym"] for one in second["rows"]} < {one["pseudonym"] for one in first["rows"]}
    assert {entry.reason for entry in looked_at(world) if entry.outcome == "refuse"} == {
        *("CONSENT_WITHDRAWN", "SUBJECT_DECEASED", "RESTRICTED", "ERASURE_PENDING")
    }
    assert await verified(world) == []


async def test_an_extract_is_asked_for_by_one_approved_by_another_and_given_once(lab: Laboratory):
    await settle(lab.world, HOUSE)
    await lab.laid_down("rows", REGION, GENDER, form="extract")
    path = "/research/rows"
    assert told(await lab.ask("key", "POST", f"{path}/release", {})) == (409, "not-approved")
    assert told(await lab.approve("second_officer", f"{path}/extract/{month_of(lab.world.clock.now)}/approval")) == (404, "not-found")
    made = await lab.ask("officer", "POST", f"{path}/extract")
    month = made.json()["month"]
    assert made.json() == {"study": "rows", "month": month, "state": "requested"}
    assert (await lab.ask("officer", "POST", f"{path}/extract")).json() == made.json()
    assert told(await lab.ask("key", "POST", f"{path}/release", {})) == (409, "not-approved")
    assert told(await lab.approve("officer", f"{path}/extract/{month}/approval")) == (403, "same-person")
    assert told(await lab.ask("second_officer", "POST", f"{path}/extract/{month}/approval")) == (403, "step-up-required")
    assert told(await lab.approve("second_officer", f"{path}/extract/2026-13/approval")) == (404, "not-found")
    assert looked_at(lab.world) == []
    assert (await lab.approve("second_officer", f"{path}/extract/{month}/approval")).json()["state"] == "approved"
    assert told(await lab.approve("second_officer", f"{path}/extract/{month}/approval")) == (409, "conflict")
    release = await lab.released("rows")
    assert Counter((row["region"], row["gender"]) for row in release["rows"]) == {("riyadh", "female"): 14}
    assert [row["pseudonym"] for row in release["rows"]] == sorted({row["pseudonym"] for row in release["rows"]})
    assert release["numbers"] == []
    before = len(looked_at(lab.world))
    for who, method, where in (("key", "POST", "release"), ("officer", "POST", "extract"), ("key", "GET", f"releases/{month}")):
        assert told(await lab.ask(who, method, f"{path}/{where}", {} if where == "release" else None)) == (409, "release-given")
    assert len(looked_at(lab.world)) == before
    assert await verified(lab.world) == []


async def test_an_extract_that_is_turned_down_is_made_of_nothing_and_asked_for_anew(lab: Laboratory):
    await settle(lab.world, people((12, WOMAN)))
    await lab.laid_down("rows", REGION, form="extract")
    month = month_of(lab.world.clock.now)
    path = "/research/rows/extract"
    for wrong in (month, "2026-13"):
        assert told(await lab.ask("second_officer", "POST", f"{path}/{wrong}/rejection")) == (404, "not-found")
    assert told(await lab.ask("second_officer", "POST", f"/research/none/extract/{month}/rejection")) == (404, "not-found")
    assert (await lab.ask("officer", "POST", path)).status_code == 200
    for _ in range(2):
        turned = await lab.ask("second_officer", "POST", f"{path}/{month}/rejection")
        assert turned.json() == {"study": "rows", "month": month, "state": "turned-down"}
    told_of = [(entry.outcome, len(entry.facts)) for entry in lab.world.entries() if entry.kind == extracts.TURNED_DOWN]
    assert told_of == [("allow", 1)], "once"
    assert told(await lab.approve("second_officer", f"{path}/{month}/approval")) == (409, "conflict")
    assert told(await lab.ask("key", "POST", "/research/rows/release", {})) == (409, "not-approved")
    assert (await lab.extract("rows"))["month"] == month
    assert told(await lab.ask("second_officer", "POST", f"{path}/{month}/rejection")) == (409, "conflict")
    assert await verified(lab.world) == []


async def test_the_wording_that_waits_is_turned_down_by_one_person_and_what_is_in_force_is_not(lab: Laboratory):
    first = (await lab.propose("study", AGE)).json()["proposal"]
    path, second = "/research/study/rejection", (await lab.propose("study", AGE, GENDER)).json()["proposal"]
    assert told(await lab.ask("officer", "POST", path, {"proposal": first})) == (409, "conflict")
    assert told(await lab.ask("officer", "POST", path, {"proposal": "x"})) == (422, "invalid")
    assert told(await lab.ask("officer", "POST", "/research/none/rejection", {"proposal": first})) == (404, "not-found")
    assert told(await lab.ask("admin", "POST", path, {"proposal": second})) == (403, "out-of-scope")
    for _ in range(2):
        answer = await lab.ask("officer", "POST", path, {"proposal": second})
        assert answer.json() == {"study": "study", "state": "ended", "proposal": second}
    assert [entry.outcome for entry in lab.world.entries() if entry.kind == studies.ENDED] == ["allow"]
    assert told(await lab.approve("officer", "/research/study/approval", proposal=second)) == (409, "conflict")
    await lab.laid_down("rows", REGION, form="extract")
    stands = (await lab.ask("officer", "GET", "/research/rows/proposal")).json()["proposal"]
    assert told(await lab.ask("second_officer", "POST", "/research/rows/rejection", {"proposal": stands})) == (409, "conflict")
    await lab.ask("admin", "POST", "/research/rows/end")
    assert told(await lab.ask("second_officer", "POST", "/research/rows/rejection", {"proposal": stands})) == (409, "conflict")


async def test_an_approval_lasts_a_week_and_while_both_are_there(small_lab: Laboratory):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("rows", REGION, form="extract")
    await small_lab.asked_for("rows")
    world.clock.forward(7 * DAY)
    assert told(await small_lab.ask("key", "POST", "/research/rows/release", {})) == (409, "approval-expired")
    small_lab.tokens = {"key": small_lab.tokens["key"]}
    await small_lab.asked_for("rows")
    asked_by = (await world.person("officer")).ref.removeprefix("staff:")
    member = (await world.association.refresh()).staff[asked_by]
    await lay_down(world, STAFF, asked_by, msgspec.structs.replace(member, active=False))
    assert told(await small_lab.ask("key", "POST", "/research/rows/release", {})) == (403, "approver-ended")
    assert looked_at(world) == []


async def test_a_pseudonym_is_one_in_a_study_and_another_in_the_next_and_nobodys_once_the_study_ended(lab: Laboratory):
    world = lab.world
    given = await settle(world, people((12, WOMAN)))
    await lab.laid_down("rows", REGION, form="extract")
    await lab.laid_down("others", GENDER, form="extract")
    first, other = await lab.extract("rows"), await lab.extract("others")
    world.clock.forward(31 * DAY)
    lab.tokens = {"key": lab.tokens["key"]}
    later = await lab.extract("rows")
    named = [{row["pseudonym"] for row in each["rows"]} for each in (first, later, other)]
    assert named[0] == named[1]
    assert not named[0] & named[2]
    for record, _ in given:
        assert written(record) not in str(first)
        assert record.hex() not in str(first)
    assert len(rows_of(world, study_key)) == 2
    assert (await lab.ask("admin", "POST", "/research/rows/end")).json()["state"] == "ended"
    assert (await lab.ask("admin", "POST", "/research/rows/end")).json()["state"] == "ended"
    assert len(rows_of(world, study_key)) == 1
    world.clock.forward(31 * DAY)
    lab.tokens = {"key": lab.tokens["key"]}
    assert told(await lab.ask("key", "POST", "/research/rows/release", {})) == (409, "study-ended")
    assert told(await lab.ask("officer", "POST", "/research/rows/extract")) == (409, "study-ended")
    assert told(await lab.propose("rows", HOUSING)) == (409, "study-settled")
    assert [line.closing for line in world.association.log.journal.lines() if line.closing.kind == "study"] == [Closing("study", "rows")]


async def test_without_its_key_nothing_of_a_study_is_given_and_the_alarm_rings(small_lab: Laboratory):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("rows", REGION, form="extract")
    await small_lab.asked_for("rows")
    row = rows_of(world, study_key)[0]
    put(world, study_key, [])
    assert told(await small_lab.ask("key", "POST", "/research/rows/release", {})) == (503, "integrity")
    assert world.entries()[-1].kind == "alarm"
    put(world, study_key, [row | {"study": bytes(15) + b"1"}])
    assert told(await small_lab.ask("key", "POST", "/research/rows/release", {})) == (503, "integrity")
    put(world, study_key, [row | {"wrapped": bytes(70)}])
    assert told(await small_lab.ask("key", "POST", "/research/rows/release", {})) == (503, "integrity")
    put(world, study_key, [row])
    assert len((await small_lab.released("rows"))["rows"]) == 12


async def test_nothing_of_research_goes_outside_whatever_was_signed(small_lab: Laboratory):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    await partner(world)
    await agreement(world)
    await small_lab.laid_down("by_region", REGION)
    await small_lab.client("partner", "partner", "research:read")
    await small_lab.client("other", "INTERNAL", "research:read", purposes=("service_delivery",))
    await small_lab.client("donors", "INTERNAL", "research:read", types=("donor",))
    month = month_of(world.clock.now)
    for who, recipient, code in (
        *(("key", "partner", "purpose-internal-only"), ("key", "nobody", "purpose-internal-only")),
        *(("partner", "INTERNAL", "purpose-internal-only"), ("partner", "partner", "purpose-internal-only")),
        *(("other", "INTERNAL", "out-of-scope"), ("donors", "INTERNAL", "out-of-scope")),
    ):
        answer = await small_lab.ask(who, "POST", "/research/by_region/release", {"recipient": recipient})
        assert told(answer) == (403, code), (who, recipient)
        assert (answer.json()["article"], "recipient" in answer.text) == ("cooperative:6.3", False)
        last = world.entries()[-1]
        assert (last.kind, last.outcome, last.reason, last.purpose) == (
            research.RELEASED,
            "refuse",
            code.upper().replace("-", "_"),
            PURPOSE,
        )
        assert last.recipient in ({"partner"} if "partner" in {who, recipient} else {None, "INTERNAL"})
    assert told(await small_lab.ask("partner", "GET", f"/research/by_region/releases/{month}")) == (403, "purpose-internal-only")
    assert looked_at(world) == []
    assert told(await small_lab.ask("key", "GET", f"/research/by_region/releases/{month}")) == (404, "not-found")
    assert "research:read" not in PARTY_SCOPES


async def test_a_caseworkers_few_are_not_counted_as_everybody(small_lab: Laboratory):
    await settle(small_lab.world, people((12, WOMAN)))
    await small_lab.laid_down("by_region", REGION)
    system = await small_lab.world.system()

    class Hers:
        """A system with a caseworker at its screen."""

        def __getattr__(self, name: str) -> Any:
            return replace(system.asker, only_assigned=True) if name == "asker" else getattr(system, name)

        def still(self, _deed: Deed) -> "Hers":
            return self

    with pytest.raises(Refused) as refused:
        await research.release(Errand(Hers(), "request-1"), "by_region", "INTERNAL")
    assert refused.value.code == "out-of-scope"


@pytest.mark.parametrize(
    ("dimensions", "at", "code"),
    [
        ([{"name": "a", "field": "full_name", "groups": {"x": ["x"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "national_id", "groups": {"x": ["1"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "mobile", "groups": {"x": ["05"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "email", "groups": {"x": ["a"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "iban", "groups": {"x": ["SA"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "health_note", "groups": {"x": ["x"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "national_address", "groups": {"x": ["x"]}}], 0, "identifying-field"),
        ([{"name": "a", "field": "nothing", "groups": {"x": ["x"]}}], 0, "unknown-field"),
        ([AGE, {**GENDER, "name": "age"}], 0, "name-taken"),
        ([AGE, {**AGE, "name": "old"}], 1, "name-taken"),
        ([{**AGE, "name": "Age"}], 0, "out-of-range"),
        ([{**AGE, "steps": []}], 0, "out-of-range"),
        ([{**AGE, "steps": [18, 19]}], 0, "out-of-range"),
        ([{**AGE, "steps": [35, 18]}], 0, "out-of-range"),
        ([{**AGE, "steps": [18, 151]}], 0, "out-of-range"),
        ([{**AGE, "groups": {"x": ["1990"]}}], 0, "out-of-range"),
        ([{**GENDER, "steps": [5]}], 0, "out-of-range"),
        ([{**GENDER, "groups": {"x": ["female", "nobody"]}}], 0, "out-of-range"),
        ([{**GENDER, "groups": {"x": ["female"], "y": ["female"]}}], 0, "out-of-range"),
        ([{**GENDER, "groups": {"unknown": ["female"]}}], 0, "out-of-range"),
        ([{**REGION, "groups": {"street": ["RRRD"]}}], 0, "out-of-range"),
        ([{**REGION, "groups": {"r": ["R"], "ra": ["RA"]}}], 0, "out-of-range"),
        ([{**HOUSING, "groups": {"x": [" إيجار"]}}], 0, "out-of-range"),
        ([AGE, GENDER, REGION, INCOME], 3, "too-many"),
        ([{**AGE, "steps": list(range(10, 110, 10))}, {**INCOME, "steps": list(range(1000, 11000, 1000))}, GENDER], 2, "too-many"),
    ],
)
async def test_what_names_somebody_or_is_no_band_is_looked_at_by_no_study(
    small_lab: Laboratory, dimensions: list[dict[str, Any]], at: int, code: str
):
    answer = await small_lab.propose("study", *dimensions)
    assert told(answer) == (422, "invalid")
    assert {"field": f"dimensions.{at}", "code": code} in answer.json()["errors"]


async def test_a_study_is_refused_member_by_member(small_lab: Laboratory):
    for changes, wrong in (
        ({"purpose": "service_delivery"}, ("purpose", "action-mismatch")),
        ({"purpose": "nothing"}, ("purpose", "unknown-purpose")),
        ({"type": "nothing"}, ("type", "unknown-type")),
        ({"title": {"ar": "دراسة"}}, ("title", "missing")),
        ({"title": {"ar": "دراسة", "en": " "}}, ("title", "out-of-range")),
        ({"dimensions": []}, ("dimensions", "out-of-range")),
        ({"form": "list"}, ("form", "out-of-range")),
    ):
        answer = await small_lab.propose("study", AGE, **changes)
        assert (answer.status_code, [(each["field"], each["code"]) for each in answer.json()["errors"]]) == (422, [wrong])
    assert told(await small_lab.propose("Study", AGE)) == (422, "invalid")
    assert told(await small_lab.ask("key", "POST", "/research/Study/release", {})) == (404, "not-found")
    assert told(await small_lab.ask("key", "PUT", "/research/study", {})) == (403, "out-of-scope")


async def test_a_study_counts_once_another_approved_that_very_wording(lab: Laboratory):
    first = await lab.propose("study", AGE)
    assert (await lab.propose("study", AGE)).json() == first.json()
    second = await lab.propose("study", GENDER)
    assert first.json()["proposal"] != second.json()["proposal"]
    path = "/research/study/approval"
    assert told(await lab.approve("officer", path, proposal=first.json()["proposal"])) == (409, "conflict")
    assert told(await lab.approve("officer", path, proposal="x")) == (422, "invalid")
    assert told(await lab.ask("key", "POST", "/research/study/release", {})) == (409, "not-approved")
    shown = (await lab.ask("officer", "GET", "/research/study/proposal")).json()
    assert shown["dimensions"] == [
        {
            "name": "gender",
            "field": "gender",
            "bands": ["female", "male", "other", "unknown"],
            "groups": {"female": ["female"], "male": ["male"]},
        }
    ]
    assert (await lab.approve("officer", path, proposal=shown["proposal"])).json()["state"] == "in-force"
    assert told(await lab.approve("officer", path, proposal=shown["proposal"])) == (409, "conflict")
    assert [(one["study"], one["state"]) for one in (await lab.ask("key", "GET", "/research")).json()["items"]] == [("study", "in-force")]
    assert rows_of(lab.world, study_key) == []
    assert told(await lab.ask("officer", "POST", "/research/study/extract")) == (409, "no-extract")


async def test_nobody_approves_a_study_she_proposed_herself(small_lab: Laboratory):
    made = await small_lab.propose("study", AGE)
    ref = (await small_lab.world.person("officer")).ref
    study = (await small_lab.world.association.run(lambda deed: studies.of(deed, "study"))).proposed_by
    assert study != ref
    maker = msgspec.structs.replace(await small_lab.world.association.run(lambda deed: studies.of(deed, "study")), proposed_by=ref)
    await lay_down(small_lab.world, STUDY, "study", maker)
    proposal = made.json()["proposal"]
    assert told(await small_lab.approve("officer", "/research/study/approval", proposal=proposal)) == (403, "same-person")
    assert told(await small_lab.ask("second_officer", "POST", "/research/study/approval", {"proposal": proposal})) == (
        403,
        "step-up-required",
    )
    assert (await small_lab.approve("second_officer", "/research/study/approval", proposal=proposal)).status_code == 200


async def test_the_doctor_names_keys_of_studies_that_are_not_right(small_lab: Laboratory):
    world = small_lab.world
    await small_lab.laid_down("rows", REGION, form="extract")
    await small_lab.laid_down("numbers", AGE)
    row = rows_of(world, study_key)[0]
    name = f"study_key {row['study'].hex()}"

    def found() -> list[str]:
        with snapshot(world.database) as connection:
            return list(studied(connection, world.association.cabinet, world.association.id))

    assert found() == []
    put(world, study_key, [row | {"wrapped": bytes(70)}, row | {"study": bytes(15) + b"1"}])
    assert sorted(found()) == [f"study_key {'0' * 30}31: of no study that stands", f"{name}: does not open for its study"]
    put(world, study_key, [])
    assert found() == [f"{name}: missing, so the study gives no pseudonyms"]


async def test_no_two_studies_tell_of_one_field_in_a_month(small_lab: Laboratory):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    waiting = await small_lab.propose("second", GENDER, AGE)
    await small_lab.laid_down("first", REGION, GENDER)
    assert told(await small_lab.propose("third", GENDER)) == (409, "study-overlaps")
    assert told(await small_lab.approve("officer", "/research/second/approval", proposal=waiting.json()["proposal"])) == (
        409,
        "study-overlaps",
    )
    await small_lab.released("first")
    await small_lab.ask("admin", "POST", "/research/first/end")
    await small_lab.laid_down("second", GENDER, AGE)
    await small_lab.laid_down("third", HOUSING)
    assert told(await small_lab.ask("key", "POST", "/research/second/release", {})) == (409, "study-overlaps")
    assert numbers(await small_lab.released("third"))[None,] == 12
    world.clock.forward(31 * DAY)
    assert numbers(await small_lab.released("second"))[None, None] == 12


async def test_a_purpose_or_field_that_changed_ends_what_rested_on_it(small_lab: Laboratory):
    world = small_lab.world
    await small_lab.laid_down("study", AGE)
    book = await world.association.refresh()
    shape = book.types["beneficiary"]
    later = await small_lab.propose("later", GENDER)
    kept = tuple(one for one in shape.fields if one.name not in {"birth_date", "gender"})
    await lay_down(world, RECORD_TYPE, "beneficiary", msgspec.structs.replace(shape, fields=kept))
    assert told(await small_lab.approve("officer", "/research/later/approval", proposal=later.json()["proposal"])) == (
        409,
        "study-outdated",
    )
    answer = await small_lab.ask("key", "POST", "/research/study/release", {})
    assert told(answer) == (403, "unknown-field")
    await lay_down(world, RECORD_TYPE, "beneficiary", shape)
    study = await world.association.run(lambda deed: studies.of(deed, "study"))
    await lay_down(world, STUDY, "study", msgspec.structs.replace(study, type="nothing"))
    assert told(await small_lab.ask("key", "POST", "/research/study/release", {})) == (409, "study-outdated")
    await lay_down(world, STUDY, "study", study)
    await lay_down(world, PURPOSE_KIND, PURPOSE, msgspec.structs.replace(book.purposes[PURPOSE], internal_only=False))
    assert told(await small_lab.ask("key", "POST", "/research/study/release", {})) == (409, "study-outdated")


async def whose(world: World, record: bytes) -> bytes:
    """The id of the person a record is of."""
    return await world.association.run(lambda deed: subjects.of_record(deed, record).subject)


@pytest.mark.parametrize("at_once", [500, 1])
async def test_somebody_with_two_records_is_one_person(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch, at_once: int):
    world = small_lab.world
    [(record, _), *_] = await settle(world, people((12, WOMAN)))
    monkeypatch.setattr(counting, "AT_ONCE", at_once)
    hers = await store(world, {"full_name": "x", "identity_note": "x", **MAN}, known=await whose(world, record))
    await small_lab.laid_down("by_gender", GENDER)
    release = await small_lab.released("by_gender")
    assert numbers(release)[None,] == 12
    assert len({entry.about[0].subject for entry in looked_at(world)}) == len(looked_at(world)) == 12
    assert hers.subject in {entry.about[0].subject for entry in looked_at(world)}


async def test_people_are_looked_at_page_by_page(small_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    world = small_lab.world
    monkeypatch.setattr(counting, "AT_ONCE", 5)
    given = await settle(world, people((10, WOMAN), (5, MAN)))
    await small_lab.laid_down("by_gender", GENDER)
    assert numbers(await small_lab.released("by_gender"))[None,] == 15
    assert {entry.about[0].record for entry in looked_at(world)} == {record for record, _ in given}


async def test_what_only_the_journal_knows_is_closed_again(small_lab: Laboratory):
    world = small_lab.world
    await settle(world, people((12, WOMAN)))
    await small_lab.laid_down("rows", REGION, form="extract")
    await small_lab.laid_down("by_gender", GENDER)
    month = month_of(world.clock.now)
    orphan(world, Closing("study", "rows"), Closing("study", "nothing"), Closing("study-release", "by_gender", month))
    world.association.log.journal.append(len(world.entries()), world.clock.now, [])
    assert reclose(world.association, world.clock) == 2
    assert reclose(world.association, world.clock) == 0
    assert rows_of(world, study_key) == []
    assert told(await small_lab.ask("officer", "POST", "/research/rows/extract")) == (409, "study-ended")
    assert told(await small_lab.ask("key", "POST", "/research/by_gender/release", {})) == (409, "release-lost")
    assert looked_at(world) == []


async def test_nothing_that_is_stored_stands_in_what_is_given(small_lab: Laboratory):
    canary = {
        "full_name": "كناري الفريد",
        "birth_date": "1977-07-07",
        "monthly_income": 4711,
        "short_address": "RHMA4711",
        "housing": "كوخ كناري",
    }
    await settle(small_lab.world, people((30, {**WOMAN, **canary}), (3, MAN)))
    await small_lab.laid_down("rows", REGION, GENDER, form="extract")
    await small_lab.laid_down("numbers", AGE, INCOME, HOUSING)
    for text in (str(await small_lab.extract("rows")), str(await small_lab.released("numbers"))):
        for value in ("كناري", "1977", "4711", "RHMA", "1000000", "05512"):
            assert value not in text
