"""A caseworker reads the people of her case or unit: assignments, hand-overs, their ends, and the door for emergencies."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pyotp
import pytest
import pytest_asyncio
from sqlalchemy import update

from keys.one_time_codes import new_secret
from tests.access.test_watching import fired
from tests.household import asked, grant, lay_down, store
from tests.identity.test_entrance import add_client
from tests.roof.test_reclosing import orphan
from tests.simulator import World
from vault.access.alerts_api import alert_routes
from vault.access.api import routes
from vault.access.assignments_api import assignment_routes
from vault.access.audit_api import ROUTES as AUDIT
from vault.access.examine import overdue
from vault.access.person_api import person_routes
from vault.access.search_api import routes as search_routes
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry
from vault.consent.api import ROUTES as CONSENT
from vault.consent.receipts_api import receipt_routes
from vault.identity.policy_version import policy_sha256
from vault.identity.scopes import CASEWORKER, ROLES, SYSTEM_SCOPES
from vault.policy.events import Locked
from vault.reclosing import reclose
from vault.records.api import ROUTES as RECORDS
from vault.rulebook.shapes import STAFF, StaffFact
from vault.rulebook.tables import fact
from vault.storage.journal import Closing
from vault.subjects import people
from vault.subjects.examine import examine
from vault.subjects.sheet import happened
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
HOUR = 3_600_000_000
DAY = 24 * HOUR
WHY = "إحالة إلى الباحثة الاجتماعية"


@dataclass(slots=True)
class Office:
    """Two caseworkers of two units and an intake clerk at the screens of one interactive system, and an officer."""

    world: World
    http: httpx.AsyncClient
    key: str
    officer: str
    people: dict[str, StaffFact]

    def id(self, who: str) -> str:
        return str(uuid.UUID(self.people[who].id))

    def code(self, who: str) -> str:
        return pyotp.TOTP(self.people[who].totp_secret).at(self.world.clock.now / 1e6)

    async def ask(self, who: str, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """One call by the person at the screen, or by the officer in her session."""
        token = self.officer if who == "officer" else self.key
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        if who != "officer":
            headers["Amanah-On-Behalf-Of"] = self.id(who)
        if method == "PATCH":
            headers["If-Match"] = '"1"'
        return await self.http.request(method, path, json=body, params=query or None, headers=headers)

    async def read(self, who: str, record: bytes) -> tuple[int, str | None]:
        """The status of a read and its code."""
        answer = await self.ask(who, "GET", f"/v1/records/{uuid.UUID(bytes=record)}", purpose="service_delivery", fields="full_name")
        return answer.status_code, answer.json().get("code")

    async def assign(self, who: str, record: bytes, to: dict[str, str], **more: Any) -> httpx.Response:
        return await self.ask(who, "POST", f"/v1/records/{uuid.UUID(bytes=record)}/assignments", {"to": to, "reason": WHY, **more})

    async def break_glass(self, who: str, record: bytes, code: str | None = None) -> httpx.Response:
        body = {"reason": "حالة إسعافية", "code": code or self.code(who)}
        return await self.ask(who, "POST", f"/v1/records/{uuid.UUID(bytes=record)}/break-glass", body)

    async def listed(self, who: str, record: bytes) -> list[dict[str, Any]]:
        answer = await self.ask(who, "GET", f"/v1/records/{uuid.UUID(bytes=record)}/assignments")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    def in_(self, hours: float) -> str:
        return write_time(self.world.clock.now + int(hours * HOUR))


@pytest_asyncio.fixture
async def office(vault: World):
    own = (await vault.association.book()).association
    policy = policy_sha256(own)
    people = {
        who: StaffFact(
            id=uuid.uuid4().hex,
            name_hash=uuid.uuid4().hex * 2,
            engagement="employee",
            roles=(role,),
            scopes=ROLES[role],
            password_hash="x",
            totp_secret=new_secret(),
            acknowledged=policy,
            unit=unit,
        )
        for who, role, unit in (("huda", CASEWORKER, "north"), ("reem", CASEWORKER, "south"), ("clerk", "clerk", ""))
    }
    for one in people.values():
        await lay_down(vault, STAFF, one.id, one)
    key, _ = await add_client(vault, kind="interactive", scopes=SYSTEM_SCOPES)
    factor = vault.identity.factor
    everything = (
        *routes(),
        *search_routes(),
        *assignment_routes(factor),
        *alert_routes(factor),
        *AUDIT,
        *RECORDS,
        *CONSENT,
        *receipt_routes({}),
    )
    async with vault.front(*everything) as http:
        yield Office(vault, http, key, await vault.session("officer"), people)


async def person(office: Office) -> bytes:
    """Somebody who agreed to service delivery."""
    kept = await store(office.world)
    await grant(office.world, kept.record)
    return kept.record


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_caseworker_reads_whom_an_officer_assigned_to_her_and_nobody_else(office: Office):
    record, other = await person(office), await person(office)
    assert await office.read("huda", record) == (403, "not-assigned")
    told = office.world.entries()[-1]
    assert (told.kind, told.outcome, told.reason, told.article) == ("record.read", "refuse", "NOT_ASSIGNED", "cooperative:2")
    assert await office.read("clerk", record) == (200, None), "who is no caseworker is not limited"
    made = await office.assign("officer", record, {"staff": office.id("huda")})
    assert (made.status_code, made.json()["kind"], made.json()["until"]) == (201, "assigned", None)
    told = office.world.entries()[-1]
    assert (told.kind, told.article, told.about[0].record) == ("assignment.made", "cooperative:2", record)
    assert await office.read("huda", record) == (200, None)
    assert await office.read("huda", other) == (403, "not-assigned")
    assert await office.read("reem", record) == (403, "not-assigned")


async def test_a_unit_has_a_case_as_one_of_its_people_has(office: Office):
    record = await person(office)
    assert (await office.assign("officer", record, {"unit": "south"})).status_code == 201
    assert await office.read("reem", record) == (200, None)
    assert await office.read("huda", record) == (403, "not-assigned")


async def test_an_assignment_lifts_no_article(office: Office):
    kept = await store(office.world)
    await office.assign("officer", kept.record, {"staff": office.id("huda")})
    assert await office.read("huda", kept.record) == (403, "no-consent")


async def test_a_decision_a_batch_a_search_and_a_change_are_limited_alike(office: Office):
    record = await person(office)
    id_ = str(uuid.UUID(bytes=record))
    question = {"record": id_, "action": "use", "purpose": "service_delivery", "recipient": "INTERNAL", "fields": ["full_name"]}
    search = {"type": "beneficiary", "field": "mobile", "value": "0551234567", "purpose": "service_delivery"}
    batch = {"ids": [id_], "purpose": "service_delivery", "fields": ["full_name"]}

    async def answers() -> tuple[Any, ...]:
        decided = (await office.ask("huda", "POST", "/v1/decisions", question)).json()
        many = (await office.ask("huda", "POST", "/v1/records/read", batch)).json()["results"][0]["status"]
        found = (await office.ask("huda", "POST", "/v1/records/search", search)).json()["matches"]
        changed = await office.ask("huda", "PATCH", f"/v1/records/{id_}", {"fields": {"gender": "female"}})
        return decided["reason"], many, len(found), changed.status_code

    assert await answers() == ("NOT_ASSIGNED", 403, 0, 403)
    assert [entry.kind for entry in office.world.entries() if entry.reason == "NOT_ASSIGNED"][-1] == "record.updated"
    await office.assign("officer", record, {"staff": office.id("huda")}, until=office.in_(0.001))
    decided = (await office.ask("huda", "POST", "/v1/decisions", question)).json()
    assert decided["valid_until"] == office.in_(0.001), "a permit ends with the assignment"
    assert await answers() == ("CONSENT_OK", 200, 1, 200)
    # Whoever takes somebody in is told that she is here already, by id alone.
    found = await office.ask("reem", "POST", "/v1/records/search", {**search, "purpose": "intake"})
    assert found.json()["matches"] == [{"id": id_}]


async def test_what_somebody_agreed_to_is_told_to_who_has_her_case(office: Office):
    kept = await store(office.world)
    given = await grant(office.world, kept.record)
    paths = (f"/v1/records/{uuid.UUID(bytes=kept.record)}/consents", f"/v1/consents/{uuid.UUID(bytes=given.id)}/receipt")
    for path in paths:
        assert code_of(await office.ask("huda", "GET", path)) == (403, "not-assigned")
        assert (await office.ask("clerk", "GET", path)).status_code == 200
    await office.assign("officer", kept.record, {"staff": office.id("huda")})
    for path in paths:
        assert (await office.ask("huda", "GET", path)).status_code == 200


async def test_who_breaks_the_glass_in_vain_is_told_of_no_lock(office: Office):
    record = await person(office)
    subject = office.world.entries()[-1].about[0].subject

    def lock(deed: Deed) -> None:
        known = people.of_subject(deed, subject)
        told = Entry(kind="test.locked", outcome="allow", actor="system")
        people.change(deed, known, [happened(Locked(deed.now), at=deed.now, by="system")], told)

    await office.world.association.run(lock)
    assert code_of(await office.break_glass("huda", record, "000000")) == (403, "step-up-required")
    until = office.in_(1)
    assert code_of(await office.assign("huda", record, {"unit": "south"}, until=until)) == (403, "not-assigned")
    assert code_of(await office.break_glass("huda", record)) == (409, "erasure-pending")


async def test_a_caseworker_has_the_case_of_whom_she_takes_in(office: Office):
    made = await office.ask(
        "huda", "POST", "/v1/records", {"type": "beneficiary", "fields": {"full_name": "منى", "identity_note": "لا يوجد"}}
    )
    assert made.status_code == 201, made.text
    record = uuid.UUID(made.json()["id"]).bytes
    await grant(office.world, record, await asked(office.world, fields=frozenset({"full_name"})))
    assert await office.read("huda", record) == (200, None)
    assert await office.read("reem", record) == (403, "not-assigned")
    [first] = await office.listed("officer", record)
    assert (first["kind"], first["to"], first["reason"]) == ("intake", {"staff": office.id("huda")}, "")


async def test_a_hand_over_is_for_a_time_and_of_a_case_that_is_hers(office: Office):
    record = await person(office)
    to = {"staff": office.id("reem")}
    assert code_of(await office.assign("huda", record, to, until=office.in_(24))) == (403, "not-assigned")
    await office.assign("officer", record, {"staff": office.id("huda")}, until=office.in_(48))
    missing = await office.assign("huda", record, to)
    assert (missing.status_code, missing.json()["errors"]) == (422, [{"field": "until", "code": "missing"}])
    assert (await office.assign("huda", record, to, until=office.in_(24 * 181))).status_code == 422
    assert code_of(await office.assign("huda", record, to, until=office.in_(49))) == (403, "not-assigned"), "no longer than she has it"
    made = await office.assign("huda", record, to, until=office.in_(24))
    assert (made.status_code, made.json()["kind"]) == (201, "handed_over")
    assert await office.read("reem", record) == (200, None)
    office.world.clock.forward(24 * 3600)
    assert await office.read("reem", record) == (403, "not-assigned"), "its end is exclusive"
    assert await office.read("huda", record) == (200, None)
    [first, second] = await office.listed("huda", record)
    assert [first["state"], second["state"], second["reason"]] == ["in-force", "over", WHY]
    assert code_of(await office.ask("reem", "GET", f"/v1/records/{uuid.UUID(bytes=record)}/assignments")) == (403, "not-assigned")


def path_of(record: bytes, assignment: httpx.Response) -> str:
    return f"/v1/records/{uuid.UUID(bytes=record)}/assignments/{assignment.json()['id']}/end"


async def test_what_was_handed_over_ends_with_the_case_it_came_from(office: Office):
    record = await person(office)
    first = await office.assign("officer", record, {"staff": office.id("huda")})
    own = await office.assign("huda", record, {"staff": office.id("huda")}, until=office.in_(24 * 100))
    there = await office.assign("huda", record, {"staff": office.id("reem")}, until=office.in_(24 * 100))
    back = await office.assign("reem", record, {"staff": office.id("huda")}, **{"from": office.in_(1), "until": office.in_(24 * 99)})
    assert [made.status_code for made in (own, there, back)] == [201, 201, 201]
    assert (await office.ask("officer", "POST", path_of(record, first), {"reason": WHY})).status_code == 200
    office.world.clock.forward(3600)
    assert await office.read("huda", record) == (403, "not-assigned")
    assert await office.read("reem", record) == (403, "not-assigned")
    assert {(one["state"], one["ended_because"]) for one in await office.listed("officer", record)} == {("ended", WHY)}
    with office.world.database.connect() as connection:
        assert list(examine(connection, office.world.association.cabinet, office.world.association.id, {})) == []


async def test_what_was_handed_over_and_ended_before_keeps_its_own_end(office: Office):
    record = await person(office)
    first = await office.assign("officer", record, {"staff": office.id("huda")})
    there = await office.assign("huda", record, {"staff": office.id("reem")}, until=office.in_(24))
    assert (await office.ask("huda", "POST", path_of(record, there), {"reason": "عادت من إجازتها"})).status_code == 200
    office.world.clock.forward(60)
    assert (await office.ask("officer", "POST", path_of(record, first), {"reason": WHY})).status_code == 200
    listed = {one["id"]: one["ended_because"] for one in await office.listed("officer", record)}
    assert listed == {first.json()["id"]: WHY, there.json()["id"]: "عادت من إجازتها"}


async def test_a_caseworker_ends_what_is_hers_or_came_from_her_and_nobody_elses(office: Office):
    record = await person(office)
    first = await office.assign("officer", record, {"staff": office.id("huda")})
    there = await office.assign("huda", record, {"unit": "south"}, until=office.in_(24))
    assert code_of(await office.ask("reem", "POST", path_of(record, first), {"reason": WHY})) == (403, "not-assigned")
    assert code_of(await office.ask("reem", "POST", path_of(record, there), {"reason": WHY})) == (403, "not-assigned"), "it is her unit's"
    assert await office.read("huda", record) == (200, None)
    assert (await office.ask("huda", "POST", path_of(record, there), {"reason": WHY})).status_code == 200
    assert await office.read("reem", record) == (403, "not-assigned")


async def test_who_sees_values_at_a_screen_and_is_no_caseworker_gives_no_case_out(office: Office):
    record = await person(office)
    assert code_of(await office.assign("clerk", record, {"staff": office.id("huda")})) == (403, "out-of-scope")
    made = await office.assign("officer", record, {"staff": office.id("huda")})
    assert code_of(await office.ask("clerk", "POST", path_of(record, made), {"reason": WHY})) == (403, "out-of-scope")
    told = office.world.entries()[-1]
    assert (told.kind, told.outcome, told.reason, told.about[0].record) == ("assignment.ended", "refuse", "OUT_OF_SCOPE", record)


async def test_a_caseworker_stores_nothing_more_of_somebody_whose_case_she_does_not_have(office: Office):
    record = await person(office)
    subject = str(uuid.UUID(bytes=office.world.entries()[-1].about[0].subject))
    more = {"type": "beneficiary", "fields": {"full_name": "منى", "identity_note": "لا يوجد"}, "subject": {"id": subject}}
    assert code_of(await office.ask("huda", "POST", "/v1/records", more)) == (403, "not-assigned")
    assert (office.world.entries()[-1].kind, office.world.entries()[-1].reason) == ("record.stored", "NOT_ASSIGNED")
    await office.assign("officer", record, {"staff": office.id("huda")})
    assert (await office.ask("huda", "POST", "/v1/records", more)).status_code == 201


async def test_an_assignment_may_begin_later(office: Office):
    record = await person(office)
    made = await office.assign("officer", record, {"staff": office.id("huda")}, **{"from": office.in_(2), "until": office.in_(4)})
    assert made.status_code == 201
    assert (await office.listed("officer", record))[0]["state"] == "to-come"
    assert await office.read("huda", record) == (403, "not-assigned")
    office.world.clock.forward(2 * 3600)
    assert await office.read("huda", record) == (200, None)


async def test_an_ended_assignment_opens_nothing_from_that_answer_on_and_after_a_restore_neither(office: Office):
    record = await person(office)
    made = await office.assign("officer", record, {"staff": office.id("huda")})
    path = f"/v1/records/{uuid.UUID(bytes=record)}/assignments/{made.json()['id']}/end"
    assert code_of(await office.ask("reem", "POST", path, {"reason": WHY})) == (403, "not-assigned")
    subject = office.world.entries()[-1].about[0].subject
    orphan(office.world, Closing("assignment", subject.hex(), uuid.UUID(made.json()["id"]).hex))
    assert reclose(office.world.association, office.world.clock) == 1
    assert await office.read("huda", record) == (403, "not-assigned")
    assert reclose(office.world.association, office.world.clock) == 0
    again = await office.assign("officer", record, {"staff": office.id("huda")})
    path = f"/v1/records/{uuid.UUID(bytes=record)}/assignments/{again.json()['id']}/end"
    assert (await office.ask("huda", "POST", path, {"reason": WHY})).status_code == 200, "she may give up what is hers"
    assert await office.read("huda", record) == (403, "not-assigned")
    assert code_of(await office.ask("officer", "POST", path, {"reason": WHY})) == (404, "not-found")
    ended = (await office.listed("officer", record))[-1]
    assert (ended["state"], ended["ended_because"], ended["ended_by"]) == ("ended", WHY, f"staff:{office.people['huda'].id}")
    lines = [line.closing for line in office.world.association.log.journal.lines() if line.closing.kind == "assignment"]
    assert lines[-1] == Closing("assignment", subject.hex(), uuid.UUID(again.json()["id"]).hex)


async def test_a_journal_line_about_nobody_here_or_rows_that_do_not_hold_stops_no_start(office: Office):
    orphan(office.world, Closing("assignment", "ab" * 16, "cd" * 16))
    assert reclose(office.world.association, office.world.clock) == 0


async def test_the_glass_is_broken_with_reason_and_code_for_an_hour_and_somebody_looks_into_it_within_48(office: Office):
    world, record = office.world, await person(office)
    assert code_of(await office.break_glass("huda", record, "000000")) == (403, "step-up-required")
    assert code_of(await office.break_glass("clerk", record)) == (409, "nothing-to-break")
    made = await office.break_glass("huda", record)
    assert (made.status_code, made.json()["kind"], made.json()["until"]) == (201, "break_glass", office.in_(1))
    told = world.entries()[-1]
    assert (told.kind, told.outcome, told.flags, told.on_behalf) == (
        "access.break_glass",
        "allow",
        ("break-glass",),
        f"staff:{office.people['huda'].id}",
    )
    assert await office.read("huda", record) == (200, None)
    assert (world.entries()[-1].kind, world.entries()[-1].on_behalf) == ("record.read", told.on_behalf), "never a way around the log"
    assert await office.read("reem", record) == (403, "not-assigned")
    assert code_of(await office.break_glass("huda", record)) == (409, "nothing-to-break")
    hand_over = await office.assign("huda", record, {"staff": office.id("reem")}, until=office.in_(0.5))
    assert code_of(hand_over) == (403, "not-assigned"), "what she opened in an emergency she hands to nobody"
    assert (await office.listed("huda", record))[0]["reason"] == "حالة إسعافية"
    world.clock.forward(3600)
    assert await office.read("huda", record) == (403, "not-assigned")
    assert (await fired(world)).count("break_glass") == 2, "the attempt with another code too"
    alerts = (await office.ask("officer", "GET", "/v1/alerts")).json()["items"]
    [alert, _] = [one for one in alerts if one["rule"] == "break_glass"]
    assert alert["review_by"] == write_time(world.clock.now + 48 * HOUR)
    assert (await office.ask("officer", "GET", "/v1/alerts", state="overdue")).json()["items"] == []
    world.clock.forward(48 * 3600)
    office.officer = await world.session("officer")
    late = (await office.ask("officer", "GET", "/v1/alerts", state="overdue")).json()["items"]
    assert {one["rule"] for one in late} == {"break_glass"}
    assert len(late) == len(list(found_overdue(world))) == 2
    await office.ask("officer", "POST", f"/v1/alerts/{alert['id']}/review", {"reason": "explained"})
    assert len(list(found_overdue(world))) == 1


def found_overdue(world: World) -> list[str]:
    with world.database.connect() as connection:
        return list(overdue(connection, world.association.cabinet, world.association.id, world.clock.now))


async def test_an_alert_that_does_not_hold_is_left_to_who_examines_the_facts(office: Office):
    await office.break_glass("huda", await person(office))
    await fired(office.world)
    office.world.clock.forward(49 * 3600)
    assert len(found_overdue(office.world)) == 1
    with office.world.database.connect() as connection, connection.begin():
        connection.execute(update(fact).where(fact.c.kind == "alert").values(sealed=b"x"))
    assert found_overdue(office.world) == []


async def test_what_was_opened_in_an_emergency_is_handed_to_nobody_by_a_way_in_that_outlasts_it(office: Office):
    record = (await store(office.world)).record
    path = f"/v1/records/{uuid.UUID(bytes=record)}/person-page"
    async with office.world.front(*person_routes(office.world.associations, {})) as http:
        headers = {"Authorization": f"Bearer {office.key}", "Amanah-On-Behalf-Of": office.id("huda")}
        assert (await office.break_glass("huda", record)).status_code == 201
        assert (await office.read("huda", record))[1] != "not-assigned"
        assert code_of(await http.post(path, json={}, headers=headers)) == (403, "not-assigned")
        told = office.world.entries()[-1]
        assert (told.kind, told.outcome, told.reason) == ("person-page.issued", "refuse", "NOT_ASSIGNED")
        assert (await office.assign("officer", record, {"staff": office.id("huda")})).status_code == 201
        assert (await http.post(path, json={}, headers=headers)).status_code == 201


async def test_the_code_of_an_emergency_is_used_once(office: Office):
    first, second = await person(office), await person(office)
    code = office.code("huda")
    assert (await office.break_glass("huda", first, code)).status_code == 201
    assert code_of(await office.break_glass("huda", second, code)) == (403, "step-up-required")


async def test_the_glass_opens_no_article_and_nothing_that_is_to_be_erased(office: Office):
    kept = await store(office.world)
    assert (await office.break_glass("huda", kept.record)).status_code == 201
    assert await office.read("huda", kept.record) == (403, "no-consent")


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"to": {}}, "to", "missing"),
        ({"to": {"staff": "x", "unit": "north"}}, "to", "out-of-range"),
        ({"to": {"staff": "somebody"}}, "to", "unknown-staff"),
        ({"to": {"staff": str(uuid.UUID(int=1))}}, "to", "unknown-staff"),
        ({"to": {"unit": "west"}}, "to", "unknown-unit"),
        ({"to": {"unit": "north"}, "from": "yesterday, at the latest"}, "from", "wrong-type"),
        ({"to": {"unit": "north"}, "from": "2020-01-01T00:00:00Z"}, "from", "out-of-range"),
        ({"to": {"unit": "north"}, "until": "2020-01-01T00:00:00Z"}, "until", "out-of-range"),
    ],
)
async def test_what_is_no_assignment_is_refused_with_the_member_named(office: Office, body: dict[str, Any], field: str, code: str):
    record = await person(office)
    answer = await office.assign("officer", record, **body)
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": field, "code": code}])


async def test_a_repeated_request_makes_one_assignment_and_too_many_are_refused(office: Office):
    record = await person(office)
    headers = {"Authorization": f"Bearer {office.officer}", "Idempotency-Key": "sixteen-characters-or-more"}
    path, body = f"/v1/records/{uuid.UUID(bytes=record)}/assignments", {"to": {"unit": "north"}, "reason": WHY}
    answers = [await office.http.post(path, json=body, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await office.listed("officer", record)) == 1
    for _ in range(31):
        assert (await office.assign("officer", record, {"unit": "north"})).status_code == 201
    assert code_of(await office.assign("officer", record, {"unit": "north"})) == (409, "too-many-assignments")


async def test_a_repeat_after_an_erasure_is_gone(office: Office):
    record = await person(office)
    headers = {"Authorization": f"Bearer {office.officer}", "Idempotency-Key": "sixteen-characters-or-more"}
    path, body = f"/v1/records/{uuid.UUID(bytes=record)}/assignments", {"to": {"unit": "north"}, "reason": WHY}
    assert (await office.http.post(path, json=body, headers=headers)).status_code == 201
    subject = office.world.entries()[-1].about[0].subject

    def erase(deed: Deed) -> None:
        told = Entry(kind="erasure.approved", outcome="allow", actor="system")
        people.erase(deed, subject, [record], told, closes=Closing("erasure", subject.hex()))

    await office.world.association.run(erase)
    assert code_of(await office.http.post(path, json=body, headers=headers)) == (410, "gone")


async def test_rows_fold_to_the_same_bytes_and_nothing_personal_lies_about(office: Office):
    record = await person(office)
    await office.assign("officer", record, {"staff": office.id("huda")})
    await office.break_glass("reem", record)
    world = office.world
    with world.database.connect() as connection:
        assert list(examine(connection, world.association.cabinet, world.association.id, {})) == []
    assert all(WHY not in str(entry) for entry in world.entries())
