"""A person's requests about her data: taken down, checked, extended once, answered with what was done, refused from a closed list."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete

from tests.access.desk import Desk, put, rows_of, written
from tests.access.erasures import erased
from tests.household import FATIMA, errand, grant, store
from tests.simulator import START, World
from vault.access import requests
from vault.access.alerts_api import alert_routes
from vault.access.api import routes
from vault.access.audit_api import ROUTES as AUDIT
from vault.access.copy_api import copy_routes
from vault.access.erasure_api import routes as erasure_routes
from vault.access.requests import Wanted
from vault.access.requests_api import request_routes
from vault.access.rights_words import LISTS
from vault.access.withdrawal_api import withdrawal_routes
from vault.access_log import tables as log_tables
from vault.access_log.entry import About
from vault.consent.api import ROUTES as CONSENT
from vault.errors import Unavailable
from vault.policy.events import GuardianAppointed
from vault.policy.facts import Guardian
from vault.records.api import ROUTES as RECORDS
from vault.records.service import GuardianOf
from vault.rulebook import requests as words
from vault.rulebook.requests import REQUEST
from vault.rulebook.tables import fact
from vault.subjects import people
from vault.subjects.sheet import happened
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
DAY = 24 * 3600
SAID = "أريد نسخة من كل ما لديكم عني"
WHY = "لأن الملف ورقي وموزع على ثلاثة فروع"


@dataclass(slots=True)
class Office(Desk):
    """The calls about requests, and those of the deeds that answer them."""

    async def take_down(self, record: bytes, kind: str = "copy", token: str | None = None, **more: Any) -> httpx.Response:
        body = {"record": written(record), "kind": kind, "channel": "interview", "says": SAID, **more}
        return await self.post("/v1/requests", body, token)

    async def taken(self, record: bytes, kind: str = "copy", **more: Any) -> str:
        answer = await self.take_down(record, kind, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def step(self, request: str, what: str, **body: Any) -> httpx.Response:
        return await self.post(f"/v1/requests/{request}/{what}", body, self.officer)

    async def checked(self, record: bytes, kind: str = "copy", **more: Any) -> str:
        """A request of which it is known that it is hers."""
        request = await self.taken(record, kind, **more)
        answer = await self.step(request, "identity", result="verified", method="document_sighted", note="هوية وطنية تنتهي بـ 08")
        assert (answer.status_code, answer.json()["state"]) == (200, "verified"), answer.text
        return request

    async def told(self, request: str) -> dict[str, Any]:
        answer = await self.get(f"/v1/requests/{request}", self.officer)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def queue(self, **query: Any) -> list[str]:
        answer = await self.get("/v1/requests", self.officer, **query)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    async def correct(self, record: bytes, request: str, revision: int = 1) -> httpx.Response:
        headers = {**self._by(None), "If-Match": f'"{revision}"'}
        body = {"fields": {"mobile": "0559999999"}, "request": request}
        return await self.http.patch(f"/v1/records/{written(record)}", json=body, headers=headers)


async def opened(world: World) -> Any:
    factor = world.identity.factor
    every = (
        *routes(),
        *erasure_routes(factor),
        *request_routes(),
        *copy_routes(factor, {}),
        *alert_routes(factor),
        *RECORDS,
        *CONSENT,
        *AUDIT,
        *withdrawal_routes({}, {}),
    )
    return world.front(*every)


@pytest_asyncio.fixture
async def office(vault: World):
    async with await opened(vault) as http:
        yield Office(vault, http, vault.ceremony.api_key, await vault.session("officer"))


@pytest_asyncio.fixture
async def small_office(small: World):
    async with await opened(small) as http:
        yield Office(small, http, small.ceremony.api_key, await small.session("officer"))


def why(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    told = answer.json()
    return answer.status_code, told["code"], [(one["field"], one["code"]) for one in told.get("errors", ())]


async def test_an_oral_request_runs_thirty_days_from_when_it_was_said_and_is_answered_by_the_deed_that_names_it(office: Office):
    kept = await store(office.world)
    office.world.clock.forward(3 * DAY)
    office.officer = await office.world.session("officer")
    said_at = write_time(START + DAY * 1_000_000)
    taken = await office.take_down(kept.record, "correction", channel="phone", received_at=said_at)
    told = taken.json()
    assert (taken.status_code, told["state"], told["received_at"], told["days_left"]) == (201, "received", said_at, 28)
    assert told["due_at"] == write_time(START + 31 * DAY * 1_000_000)
    request = told["id"]
    # Nothing is done for it before it is known who asks, and it is not answered by words alone.
    assert why(await office.correct(kept.record, request)) == (409, "identity-unchecked", [])
    assert why(await office.step(request, "answer", says="صُحّح")) == (409, "identity-unchecked", [])
    await office.step(request, "identity", result="verified", method="call_back")
    assert why(await office.step(request, "answer", says="صُحّح")) == (409, "deed-missing", [])
    assert (await office.correct(kept.record, request)).status_code == 200
    answer = await office.step(request, "answer", says="صُحّح رقم الجوال كما طلبتم")
    assert (answer.status_code, answer.json()["state"], answer.json()["days_left"]) == (200, "answered", None)
    told = await office.told(request)
    (deed,) = told["deeds"]
    entry = office.world.entries()[deed["entry"]]
    assert (deed["deed"], deed["id"], entry.kind, entry.fields) == ("correction", written(kept.record), "record.updated", ("mobile",))
    assert [(one.kind, one.key) for one in entry.facts] == [("rights_request", uuid.UUID(request).hex)]
    assert [(one["what"], one["text"]) for one in told["said"]] == [("asked", SAID), ("answer", "صُحّح رقم الجوال كما طلبتم")]
    assert office.world.entries()[-1].fields == ("answer", "asked")
    assert await office.queue() == []
    assert await office.queue(state="answered") == [request]


async def test_the_answer_to_a_request_for_destruction_is_an_erasure_that_was_carried_out_and_the_request_outlasts_her(office: Office):
    kept = await store(office.world)
    request = await office.checked(kept.record, "destruction")
    certificate = await erased(office, kept.record, request=request)
    told = await office.told(request)
    assert [(one["deed"], one["id"]) for one in told["deeds"]] == [("erasure", certificate["id"])]
    assert told["said"] == []
    assert (await office.get(f"/v1/erasures/{certificate['id']}", await office.world.session("second_officer"))).json()[
        "request"
    ] == request
    # Nothing can lie in her history any more, so that it is answered without words.
    assert why(await office.step(request, "answer", says="أُتلفت بياناتكم")) == (422, "invalid", [("says", "person-erased")])
    assert (await office.step(request, "answer")).json()["state"] == "answered"
    assert [one["what"] for one in certificate["kept"]] == ["access_log", "erasure_request", "requests"]


async def test_an_erasure_for_a_request_that_was_refused_meanwhile_is_carried_out_and_answers_nothing(small_office: Office):
    office = small_office
    kept = await store(office.world)
    request = await office.checked(kept.record, "destruction")
    body = {"reason": "طلبت", "requested_by": "self", "request": request}
    locked = await office.post(f"/v1/records/{written(kept.record)}/erasure", body, office.officer)
    assert (await office.step(request, "refusal", reason="pending_case", says="قضية منظورة")).status_code == 200
    session, code = await office.world.session("second_officer"), office.world.one_time_code("second_officer")
    assert (await office.post(f"/v1/erasures/{locked.json()['id']}/approval", {"code": code}, session)).status_code == 200
    assert (await office.told(request))["deeds"] == []


async def test_a_withdrawal_that_was_asked_for_is_found_in_her_history(small_office: Office):
    office = small_office
    kept, other = await store(office.world), await store(office.world)
    given, others = await grant(office.world, kept.record), await grant(office.world, other.record)
    consent, foreign = str(uuid.UUID(bytes=given.id)), str(uuid.UUID(bytes=others.id))
    request = await office.checked(kept.record, "withdrawal")
    assert why(await office.step(request, "answer", says="نعم")) == (422, "invalid", [("consent", "missing")])
    assert why(await office.step(request, "answer", consent=consent)) == (409, "deed-missing", [])
    assert why(await office.step(request, "answer", consent=foreign)) == (422, "invalid", [("consent", "unknown-consent")])
    for unknown in (str(uuid.uuid4()), "x"):
        assert why(await office.step(request, "answer", consent=unknown)) == (422, "invalid", [("consent", "unknown-consent")])
    assert (await office.post(f"/v1/consents/{consent}/withdrawal", {"given_by": "self"})).status_code == 201
    assert (await office.step(request, "answer", consent=consent)).json()["state"] == "answered"
    (deed,) = (await office.told(request))["deeds"]
    assert (deed["deed"], deed["id"]) == ("withdrawal", consent)
    assert office.world.entries()[deed["entry"]].kind == "request.answered"
    words = await office.checked(kept.record, "complaint")
    assert why(await office.step(words, "answer", consent=consent)) == (422, "invalid", [("consent", "request-kind")])


async def test_a_deed_names_only_a_request_of_hers_that_is_open_and_asks_for_it(small_office: Office):
    office = small_office
    kept, other = await store(office.world), await store(office.world)
    hers, copy = await office.checked(kept.record, "correction"), await office.checked(kept.record)
    unknown = (422, "invalid", [("request", "unknown-request")])
    assert why(await office.correct(other.record, hers)) == unknown
    assert why(await office.correct(kept.record, str(uuid.uuid4()))) == unknown
    assert why(await office.correct(kept.record, "x")) == unknown
    assert why(await office.correct(kept.record, copy)) == (422, "invalid", [("request", "request-kind")])
    body = {"reason": "طلبت", "requested_by": "self", "request": "x"}
    assert why(await office.post(f"/v1/records/{written(kept.record)}/erasure", body, office.officer)) == unknown
    body["request"] = copy
    answer = await office.post(f"/v1/records/{written(kept.record)}/erasure", body, office.officer)
    assert why(answer) == (422, "invalid", [("request", "request-kind")])
    assert (await office.step(hers, "taking-back", says="تراجعت")).json()["state"] == "taken-back"
    assert why(await office.correct(kept.record, hers)) == (409, "request-settled", [])
    assert (await office.get(f"/v1/records/{written(kept.record)}/access-report", office.officer)).status_code == 200


async def test_more_time_is_taken_once_for_a_reason_of_the_law_and_before_the_thirty_days_are_past(small_office: Office):
    office = small_office
    kept = await store(office.world)
    request, late = await office.taken(kept.record), await office.taken(kept.record, "access")
    assert why(await office.step(request, "extension", reason="busy", says=WHY)) == (422, "invalid", [("reason", "unknown-reason")])
    assert (await office.step(request, "extension", reason="unusual_effort", says="")).status_code == 422
    office.world.clock.forward(30 * DAY - 1)
    office.officer = await office.world.session("officer")
    extended = await office.step(request, "extension", reason="unusual_effort", says=WHY)
    told = extended.json()
    assert (extended.status_code, told["days_left"], told["extension"]["reason"]) == (200, 30, "unusual_effort")
    assert (told["due_at"], told["extension"]["due_before"]) == (
        write_time(START + 60 * DAY * 1_000_000),
        write_time(START + 30 * DAY * 1_000_000),
    )
    assert why(await office.step(request, "extension", reason="several_requests", says=WHY)) == (409, "request-extended", [])
    office.world.clock.forward(1)
    assert why(await office.step(late, "extension", reason="unusual_effort", says=WHY)) == (409, "request-overdue", [])
    assert await office.queue(state="overdue") == [late]
    assert ((await office.told(late))["overdue"], (await office.told(late))["days_left"]) == (True, 0)
    office.world.clock.forward(1)
    assert (await office.told(late))["days_left"] == -1


async def test_a_refusal_has_a_reason_of_the_closed_list_that_holds_for_its_kind_and_its_article(small_office: Office):
    office = small_office
    kept = await store(office.world)
    request = await office.taken(kept.record)
    assert why(await office.step(request, "refusal", reason="because", says=WHY)) == (422, "invalid", [("reason", "unknown-reason")])
    assert why(await office.step(request, "refusal", reason="kept_by_law", says=WHY)) == (422, "invalid", [("reason", "request-kind")])
    refused = (await office.step(request, "refusal", reason="others_data", says=WHY)).json()
    assert (refused["state"], refused["refusal"]) == ("refused", {"reason": "others_data", "article": "sa-pdpl:16"})
    assert office.world.entries()[-1].law == "sa-pdpl:16"
    for what, body in (
        ("refusal", {"reason": "repetitive", "says": WHY}),
        ("extension", {"reason": "unusual_effort", "says": WHY}),
        ("answer", {"says": "x"}),
        ("taking-back", {}),
        ("identity", {"result": "verified", "method": "call_back"}),
    ):
        assert why(await office.step(request, what, **body)) == (409, "request-settled", [])
    again = await office.taken(kept.record)
    told = (await office.step(again, "refusal", reason="repetitive", says=WHY)).json()
    assert told["refusal"]["article"] == "sa-pdpl-regulation:3"


async def test_what_is_answered_in_words_is_not_answered_without_them(small_office: Office):
    kept = await store(small_office.world)
    request = await small_office.checked(kept.record, "knowledge")
    assert why(await small_office.step(request, "answer")) == (422, "invalid", [("says", "missing")])
    assert (await small_office.step(request, "answer", says="نجمع اسمكم وجوالكم لتقديم الخدمة")).json()["state"] == "answered"


async def test_a_guardian_asks_for_a_ward_once_the_deed_was_seen_and_nobody_after_the_end_of_the_office(small_office: Office):
    office, world = small_office, small_office.world
    mother = await store(world)
    ward = await store(
        world,
        {**FATIMA, "national_id": "1000000016", "birth_date": "2018-05-10"},
        kind="beneficiary",
        guardian=GuardianOf(mother.subject, "wali", valid_to=START + 90 * DAY * 1_000_000),
    )
    guardian = written(mother.subject)
    own = await office.taken(ward.record)
    by_code = {"result": "verified", "method": "one_time_code"}
    assert why(await office.step(own, "identity", **by_code)) == (403, "no-capacity", [])
    assert (await office.step(own, "identity", result="failed", method="one_time_code")).json()["state"] == "received"
    request = await office.taken(ward.record, given_by=guardian)
    assert why(await office.step(request, "identity", **by_code)) == (403, "guardianship-unverified", [])
    assert why(await office.step(request, "identity", result="verified", method="face")) == (422, "invalid", [("method", "unknown-method")])
    told = (await office.step(request, "identity", result="verified", method="deed_sighted")).json()
    assert (told["given_by"], told["identity"]["method"]) == (guardian, "deed_sighted")
    stranger = await store(world)
    for by in (written(stranger.subject), "x"):
        assert why(await office.take_down(ward.record, given_by=by)) == (422, "invalid", [("given_by", "unknown-guardian")])
    waiting = await office.taken(ward.record, given_by=guardian)
    world.clock.forward(90 * DAY)
    office.officer = await world.session("officer")
    assert why(await office.take_down(ward.record, given_by=guardian)) == (403, "guardian-removed", [])
    assert why(await office.step(waiting, "identity", result="verified", method="deed_sighted")) == (403, "guardian-removed", [])


async def test_what_she_asks_on_her_own_page_needs_no_staff_and_cannot_be_said_by_staff(small_office: Office):
    office, world = small_office, small_office.world
    kept = await store(world)
    mother = await store(world)
    ward = await store(world, {**FATIMA, "birth_date": "2018-05-10"}, kind="beneficiary", guardian=GuardianOf(mother.subject, "wali"))
    job = await errand(world)
    hers = Wanted(kept.record, "access", "website", "self", SAID, received_at=START - 1)
    made = await world.association.run(lambda deed: requests.ask(deed, job, hers))
    assert (made.channel, made.received_at, made.state, made.identity and made.identity.method) == (
        "own_page",
        START,
        "verified",
        "one_time_code",
    )
    wards = Wanted(ward.record, "access", "own_page", mother.subject.hex(), SAID)
    assert (await world.association.run(lambda deed: requests.ask(deed, job, wards))).state == "received"
    assert why(await office.take_down(kept.record, channel="own_page")) == (422, "invalid", [("channel", "unknown-channel")])
    assert why(await office.take_down(kept.record, channel="fax")) == (422, "invalid", [("channel", "unknown-channel")])


async def test_a_verified_guardian_needs_no_deed_again(small_office: Office):
    office, world = small_office, small_office.world
    mother = await store(world)
    ward = await store(world, {**FATIMA, "birth_date": "2018-05-10"}, kind="beneficiary", guardian=GuardianOf(mother.subject, "wali"))
    job = await errand(world)

    def seen(deed: Any) -> None:
        event = happened(GuardianAppointed(Guardian(mother.subject.hex(), "wali", verified=True)), at=deed.now, by="staff:1")
        people.change(deed, people.of_record(deed, ward.record), [event], job.entry(kind="guardian.verified", outcome="allow"))

    await world.association.run(seen)
    request = await office.taken(ward.record, given_by=written(mother.subject))
    assert (await office.step(request, "identity", result="verified", method="call_back")).json()["state"] == "verified"


async def test_the_queue_is_by_the_time_that_is_left_page_by_page_and_each_look_is_an_entry(small_office: Office):
    office = small_office
    kept = await store(office.world)
    office.world.clock.forward(10 * DAY)
    office.officer = await office.world.session("officer")
    days = [5, 1, 9, 3]
    made = {day: await office.taken(kept.record, received_at=write_time(START + day * DAY * 1_000_000)) for day in days}
    first = (await office.get("/v1/requests", office.officer, limit=3)).json()
    assert [one["id"] for one in first["items"]] == [made[1], made[3], made[5]]
    assert await office.queue(limit=3, after=first["next"]) == [made[9]]
    told = office.world.entries()[-1]
    assert (told.kind, told.count, told.basis) == ("requests.read", 1, "law")
    assert (await office.get("/v1/requests", office.officer, after=str(uuid.uuid4()))).status_code == 404
    assert (await office.get("/v1/requests", office.key)).status_code == 403
    assert (await office.get("/v1/requests", office.officer, state="lost")).status_code == 422


async def test_a_repeat_gives_the_request_it_made_and_bad_times_are_told_by_member(small_office: Office):
    office = small_office
    kept = await store(office.world)
    body = {"record": written(kept.record), "kind": "copy", "channel": "letter"}
    headers = {**office._by(None), "Idempotency-Key": "k" * 16}
    made = [(await office.http.post("/v1/requests", json=body, headers=headers)).json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    later = write_time(START + 1_000_000)
    assert why(await office.take_down(kept.record, received_at=later)) == (422, "future-dated", [("received_at", "future-dated")])
    old = write_time(START - 367 * DAY * 1_000_000)
    assert why(await office.take_down(kept.record, received_at=old)) == (422, "invalid", [("received_at", "out-of-range")])
    bad = "2026-01-01 00:00:00"
    assert why(await office.take_down(kept.record, received_at=bad + "xx")) == (422, "invalid", [("received_at", "wrong-type")])
    assert (await office.take_down(uuid.uuid4().bytes)).status_code == 404


async def test_a_request_put_back_or_taken_out_by_hand_is_noticed_by_every_look(office: Office):
    kept = await store(office.world)
    request = await office.taken(kept.record)
    with office.world.database.connect() as connection, connection.begin():
        connection.execute(delete(fact).where(fact.c.kind == REQUEST.name))
    assert (await office.get("/v1/requests", office.officer)).status_code == 503
    assert (await office.get(f"/v1/requests/{request}", office.officer)).status_code == 503


async def test_no_answer_rests_on_a_deed_the_log_does_not_tell_of(small: World):
    kept, other = await store(small), await store(small)
    job = await errand(small)
    wanted = Wanted(kept.record, "correction", "interview", "self", "")
    made = await small.association.run(lambda deed: requests.take_down(deed, job, wanted, None))
    seen = requests.Check("verified", "call_back")
    made = await small.association.run(lambda deed: requests.check(deed, job, bytes.fromhex(made.id), seen))

    def forged(deed: Any, kind: str = "record.listed", whose: bytes = kept.subject) -> None:
        written_ = words.answering(deed, words.of(deed, bytes.fromhex(made.id)), "correction", kept.record.hex(), "staff:1")
        about = (About(whose, kept.record),)
        deed.append(job.entry(kind=kind, outcome="allow", facts=(written_,), about=about))

    for lie in (forged, lambda deed: forged(deed, "record.updated", other.subject)):
        await small.association.run(lie)
        with pytest.raises(Unavailable, match="integrity"):
            await small.association.run(lambda deed: requests.answer(deed, job, bytes.fromhex(made.id), ""))


async def test_a_deed_whose_entry_is_gone_or_is_none_any_more_makes_the_request_answer_503(small_office: Office):
    office, world = small_office, small_office.world
    kept = await store(world)
    request = await office.checked(kept.record, "correction")
    await office.correct(kept.record, request)
    number = (await office.told(request))["deeds"][0]["entry"]
    rows = rows_of(world, log_tables.entry)
    put(world, log_tables.entry, [{**row, "body": b"{}"} if row["number"] == number else row for row in rows])
    assert (await office.get(f"/v1/requests/{request}", office.officer)).status_code == 503
    put(world, log_tables.entry, [row for row in rows_of(world, log_tables.entry) if row["number"] != number])
    assert (await office.get(f"/v1/requests/{request}", office.officer)).status_code == 503


async def test_every_reason_cites_one_article_in_both_languages():
    for ground in (*LISTS.kinds.values(), *LISTS.refusals.values()):
        assert bool(ground.law) != bool(ground.regulation)
        assert ground.in_language("ar") != ground.in_language("en")
