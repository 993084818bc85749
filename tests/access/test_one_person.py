"""One person in two records: what is withdrawn, asked or copied through one of them reaches what was done through the other."""

import json

import pytest

from keys.age import AgeKey
from keys.age_packages import open_age_package
from tests.access.counter import Counter
from tests.access.desk import written
from tests.access.erasures import erased
from tests.access.test_copying import package, prepared
from tests.access.test_person_pages import call, issued, session_in
from tests.access.test_recalls import recalls
from tests.access.test_requests import Office, office, small_office
from tests.access.test_silences import joined
from tests.household import FATIMA, grant, read, store, withdraw
from tests.simulator import World
from vault.access.following import Follower
from vault.errors import Refused
from vault.web.call import write_id

__all__ = ["office", "small_office"]
pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_a_withdrawal_through_one_record_is_told_to_who_was_given_the_other(counter: Counter):
    world = counter.world
    one = await counter.agreed()
    other = await store(world, {**FATIMA, "mobile": "0557654321"})
    world.clock.forward(1)
    consent = await counter.shared(other.record)
    assert (await counter.package(await counter.approved(one.record))).status_code == 200
    await joined(world, one.subject, other.subject)
    world.clock.forward(1)
    follower = Follower(world.association)
    await withdraw(world, consent)
    assert await follower.follow() == 1
    (raised,) = recalls(world)
    assert (raised.recipient, raised.what, raised.record) == ("partner", "withdrawal", one.record.hex())


async def test_a_copy_holds_both_records(office: Office):
    world = office.world
    one, other = await store(world), await store(world, {**FATIMA, "mobile": "0557654321"})
    await grant(world, other.record)
    request = await office.checked(one.record)
    await joined(world, one.subject, other.subject)
    world.clock.forward(1)
    made = await prepared(office, request)
    answer = await package(office, request)
    assert answer.status_code == 200, answer.text
    _, files = open_age_package(answer.content, AgeKey(made["secret"]))
    told = json.loads(files["content.json"])
    assert {each["id"] for each in told["records"]} == {written(one.record), written(other.record)}
    assert [each["purpose"] for each in told["consents"]] == ["service_delivery"]
    assert (await office.step(request, "answer")).json()["state"] == "answered"


async def test_an_erasure_asked_through_the_other_record_answers_her_request(office: Office):
    world = office.world
    one, other = await store(world), await store(world, {**FATIMA, "mobile": "0557654321"})
    await joined(world, one.subject, other.subject)
    world.clock.forward(1)
    request = await office.checked(one.record, "destruction")
    asked = await office.post(
        f"/v1/records/{written(other.record)}/erasure", {"reason": "x" * 12, "requested_by": "self", "request": request}, office.officer
    )
    assert asked.status_code == 202, asked.text
    second = await world.session("second_officer")
    done = await office.post(f"/v1/erasures/{asked.json()['id']}/approval", {"code": world.one_time_code("second_officer")}, second)
    assert done.status_code == 200, done.text
    answered = await office.step(request, "answer")
    assert answered.status_code == 200, answered.text
    assert (await office.told(request))["state"] == "answered"


async def test_a_correction_of_her_other_record_answers_her_request(office: Office):
    world = office.world
    one, other = await store(world), await store(world, {**FATIMA, "mobile": "0557654321"})
    await joined(world, one.subject, other.subject)
    world.clock.forward(1)
    request = await office.checked(one.record, "correction")
    done = await office.correct(other.record, request)
    assert done.status_code == 200, done.text
    assert (await office.step(request, "answer")).json()["state"] == "answered"


async def test_a_withdrawal_of_what_was_given_through_her_other_record_answers_her_request(office: Office):
    world = office.world
    one, other = await store(world), await store(world, {**FATIMA, "mobile": "0557654321"})
    given = await grant(world, other.record)
    await joined(world, one.subject, other.subject)
    world.clock.forward(1)
    request = await office.checked(one.record, "withdrawal")
    world.clock.forward(1)
    await withdraw(world, given.id)
    answered = await office.step(request, "answer", consent=written(given.id))
    assert answered.status_code == 200, answered.text


async def test_who_was_erased_after_a_correction_is_answered_by_it_still(office: Office):
    kept = await store(office.world)
    request = await office.checked(kept.record, "correction")
    assert (await office.correct(kept.record, request)).status_code == 200
    await erased(office, kept.record)
    assert (await office.step(request, "answer")).json()["state"] == "answered"


async def test_her_own_page_shows_and_ends_what_she_agreed_to_through_either_record(vault: World):
    one, other = await store(vault), await store(vault, {**FATIMA, "mobile": "0557654321"})
    given = await grant(vault, other.record)
    await grant(vault, one.record)
    await joined(vault, one.subject, other.subject)
    vault.clock.forward(1)
    assert await read(vault, other.record)
    way = await issued(vault, one)
    page = await call(vault, "POST", way["path"], {"code": way["code"]})
    assert page.text.count('value="withdraw"') == 2
    shown = vault.entries()[-1]
    assert {about.subject for about in shown.about} == {one.subject, other.subject}
    body = {"session": session_in(page), "act": "withdraw", "consent": write_id(given.id)}
    done = await call(vault, "POST", way["path"], body)
    assert done.status_code == 200
    assert 'value="withdraw"' not in done.text, "one no for both"
    for record in (one.record, other.record):
        with pytest.raises(Refused, match="consent-withdrawn"):
            await read(vault, record)
