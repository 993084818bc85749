"""Challenges: the consent is to what was asked, the code counts once and not for long, and no wrong try is forgotten."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from tests.access.test_searching import happens
from tests.access.test_tampering import client
from tests.household import BASIC, FATIMA, asked, lay_down, read, refuse, store
from tests.simulator import World
from vault.consent.api import ROUTES as CONSENT
from vault.consent.challenges import CHALLENGES, FORM, LIFE, MOST_AN_HOUR, TRIES
from vault.consent.challenges_api import ROUTES
from vault.identity import scopes as identity
from vault.policy.events import Locked
from vault.rulebook.book import notice_key
from vault.rulebook.shapes import NOTICE
from vault.rulebook.tables import fact
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")
SECOND = 1_000_000


async def call(world: World, path: str, body: Mapping[str, Any], **headers: str) -> Any:
    own = {"Authorization": f"Bearer {world.ceremony.api_key}"}
    async with world.front(*ROUTES, *CONSENT) as http:
        return await http.post(path, json=body, headers=own | headers)


async def challenge(world: World, record: bytes, purpose: str = "service_delivery", **changes: Any) -> Any:
    """Somebody is asked for a consent; the answer of the vault."""
    what = await asked(world, purpose)
    notice = {"id": write_id(bytes.fromhex(what.notice)), "version": what.notice_version, "language": "ar", "sha256": what.sha256}
    body = {"purpose": purpose, "fields": list(BASIC), "notice": notice, **changes}
    return await call(world, f"/v1/records/{write_id(record)}/consent-challenges", body)


async def answer(
    world: World, record: bytes, issued: Mapping[str, Any], code: str | None = None, act: str = "reply_code", **headers: str
) -> Any:
    path = f"/v1/records/{write_id(record)}/consent-challenges/{issued['id']}/answer"
    return await call(world, path, {"code": issued["code"] if code is None else code, "act": act}, **headers)


def wrong(code: str, by: int = 1) -> str:
    """Another code than this."""
    return f"{(int(code) + by) % 10**6:06d}"


async def test_the_right_code_gives_the_consent_that_was_asked_for(vault: World):
    kept = await store(vault)
    issued = (await challenge(vault, kept.record)).json()
    notice = (await vault.association.refresh()).current_notice("service_delivery")
    assert notice is not None
    assert issued["text"] == notice.texts["ar"]
    assert (len(issued["code"]), issued["code"].isdigit()) == (6, True)
    vault.clock.forward(90)
    done = await answer(vault, kept.record, issued, issued["code"].translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    assert (done.status_code, done.json()["state"]) == (201, "recorded")
    assert (await read(vault, kept.record)).keys() == set(BASIC)
    kinds = [(one.kind, one.outcome, one.fields) for one in vault.entries()][-3:-1]
    assert kinds == [("consent.challenged", "allow", tuple(sorted(BASIC))), ("consent.granted", "allow", tuple(sorted(BASIC)))]
    assert issued["code"] not in str(list(vault.entries()))


async def test_the_evidence_is_the_vaults_own_word_and_no_client_can_write_it(vault: World):
    kept = await store(vault)
    issued = (await challenge(vault, kept.record)).json()
    vault.clock.forward(60)
    assert (await answer(vault, kept.record, issued)).status_code == 201
    what = await asked(vault)
    forged = {**what.evidence, "asserted_by": "vault"}
    notice = {"id": write_id(bytes.fromhex(what.notice)), "version": 1, "language": "ar", "sha256": what.sha256}
    body = {"purpose": what.purpose, "fields": list(BASIC), "form": "electronic", "explicit": False, "notice": notice}
    more = {"given_by": "self", "indicated_at": forged["answered_at"], "evidence": forged}
    refused = await call(vault, f"/v1/records/{write_id(kept.record)}/consents", {**body, **more})
    assert (refused.status_code, refused.json()["code"]) == (422, "evidence-malformed")


async def test_a_code_counts_once_and_its_repeat_by_key_is_the_same_consent(vault: World):
    kept = await store(vault)
    issued = (await challenge(vault, kept.record)).json()
    key = {"Idempotency-Key": "4b9d5a3e-8a65-4d1a-9f6f-000000000001"}
    first = await answer(vault, kept.record, issued, **key)
    assert (await answer(vault, kept.record, issued, **key)).json() == first.json()
    assert (await answer(vault, kept.record, issued)).status_code == 404


async def test_five_wrong_tries_end_it_and_each_is_an_entry(vault: World):
    kept = await store(vault)
    issued = (await challenge(vault, kept.record)).json()
    for number in range(1, TRIES + 1):
        told = await answer(vault, kept.record, issued, wrong(issued["code"], number))
        assert (told.status_code, told.json()["code"]) == (422, "wrong-code")
        assert issued["code"] not in told.text
        last = vault.entries()[-1]
        assert (last.kind, last.outcome, last.reason) == ("consent.challenge-answered", "refuse", "CODE_WRONG")
    assert (await answer(vault, kept.record, issued)).status_code == 404


async def test_after_fewer_wrong_tries_the_right_one_still_counts(small: World):
    kept = await store(small)
    issued = (await challenge(small, kept.record)).json()
    for number in range(1, TRIES):
        await answer(small, kept.record, issued, wrong(issued["code"], number))
    assert (await answer(small, kept.record, issued)).status_code == 201


@pytest.mark.parametrize(("after", "status"), [(LIFE - SECOND, 201), (LIFE, 404)])
async def test_a_quarter_of_an_hour_and_no_longer(small: World, after: int, status: int):
    kept = await store(small)
    issued = (await challenge(small, kept.record)).json()
    small.clock.now += after
    assert (await answer(small, kept.record, issued)).status_code == status


async def test_ten_an_hour_for_one_record(small: World):
    kept = await store(small)
    for _ in range(MOST_AN_HOUR):
        assert (await challenge(small, kept.record)).status_code == 201
    late = await challenge(small, kept.record)
    assert (late.status_code, late.json()["code"]) == (429, "too-many-requests")
    small.clock.forward(int(late.headers["Retry-After"]))
    assert (await challenge(small, kept.record)).status_code == 201


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fields": [*BASIC, "health_note"]}, "explicit-required"),
        ({"fields": []}, "invalid"),
        ({"fields": ["no_such"]}, "invalid"),
        ({"given_by": "8f2c6f4e-0000-4000-8000-000000000000"}, "invalid"),
        ({"purpose": "partner_sharing"}, "invalid"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid"),
        ({"unknown": 1}, "invalid"),
    ],
)
async def test_what_could_not_be_agreed_to_is_not_asked(small: World, changes: dict[str, Any], code: str):
    kept = await store(small)
    refused = await challenge(small, kept.record, **changes)
    assert (refused.status_code, refused.json()["code"]) == (422, code)


@pytest.mark.parametrize("act", ["pre_ticked", "", "x" * 10_000])
async def test_silence_is_no_answer_and_costs_no_try(small: World, act: str):
    kept = await store(small)
    issued = (await challenge(small, kept.record)).json()
    told = await answer(small, kept.record, issued, act=act)
    assert (told.status_code, told.json()["code"]) == (422, "not-affirmative")
    assert (await answer(small, kept.record, issued)).status_code == 201


@pytest.mark.parametrize("code", ["", "0" * 5000, "\u2066123456", "１２３４５６"])
async def test_odd_codes_are_wrong_codes(small: World, code: str):
    kept = await store(small)
    issued = (await challenge(small, kept.record)).json()
    assert (await answer(small, kept.record, issued, code)).json()["code"] == "wrong-code"


async def test_whoever_took_the_key_of_a_public_form_answers_for_nobody(vault: World):
    kept = await store(vault)
    notice = (await vault.association.refresh()).current_notice("service_delivery")
    assert notice is not None
    assert FORM == identity.FORM
    key, _, _ = await client(vault, "form", scopes=identity.require_system((FORM, "consents:write", "notices:read"), internal=True))
    shown = {"id": write_id(bytes.fromhex(notice.id)), "version": 1, "language": "ar", "sha256": notice.sha256["ar"]}
    body, bearer = {"purpose": "service_delivery", "fields": list(BASIC), "notice": shown}, {"Authorization": f"Bearer {key}"}
    told = await call(vault, f"/v1/records/{write_id(kept.record)}/consent-challenges", body, **bearer)
    assert (told.status_code, told.json()["code"], told.json()["article"]) == (403, "out-of-scope", "cooperative:1")
    assert (vault.entries()[-1].kind, vault.entries()[-1].reason) == ("consent.refused", "OUT_OF_SCOPE")
    # What the system behind the form asked may be answered through it.
    issued = (await challenge(vault, kept.record)).json()
    assert (await answer(vault, kept.record, issued, **bearer)).status_code == 201


async def test_what_may_be_asked_no_more_is_not_agreed_to_by_an_old_code(vault: World):
    kept = await store(vault)
    issued = [(await challenge(vault, kept.record)).json() for _ in range(3)]
    book = await vault.association.refresh()
    notice = book.current_notice("service_delivery")
    assert notice is not None
    for shown, code in (
        (msgspec.structs.replace(notice, state="draft"), "invalid"),
        (msgspec.structs.replace(notice, fields=()), "exceeds-notice"),
    ):
        await lay_down(vault, NOTICE, notice_key(notice.id, notice.version), shown)
        refused = await answer(vault, kept.record, issued[0])
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    await lay_down(vault, NOTICE, notice_key(notice.id, notice.version), notice)
    assert (await answer(vault, kept.record, issued[0])).status_code == 201
    await happens(vault, kept, Locked(vault.clock.now))
    assert (await answer(vault, kept.record, issued[1])).json()["code"] == "erasure-pending"


async def test_a_challenge_of_before_a_no_is_answered_no_more_and_one_of_after_it_is(vault: World):
    kept = await store(vault)
    before, other = [(await challenge(vault, kept.record, purpose, fields=["mobile"])).json() for purpose in ("sms_offers", "call_offers")]
    vault.clock.forward(1)
    await refuse(vault, kept.record)
    assert (await answer(vault, kept.record, before)).status_code == 404
    assert (await answer(vault, kept.record, other)).status_code == 201, "that is another purpose"
    vault.clock.forward(1)
    after = (await challenge(vault, kept.record, "sms_offers", fields=["mobile"])).json()
    assert (await answer(vault, kept.record, after)).status_code == 201


async def test_another_records_challenge_is_none(small: World):
    kept, other = await store(small), await store(small, {**FATIMA, "national_id": "1000000016", "full_name": "هدى"})
    issued = (await challenge(small, kept.record)).json()
    assert (await answer(small, other.record, issued)).status_code == 404


async def test_a_try_put_back_by_sql_is_no_try(vault: World):
    kept = await store(vault)
    issued = (await challenge(vault, kept.record)).json()
    place = (fact.c.kind == CHALLENGES.name, fact.c.key == kept.record.hex())
    with vault.database.connect() as connection, connection.begin():
        before = connection.execute(select(fact.c.version, fact.c.sealed).where(*place)).one()
    assert (await answer(vault, kept.record, issued, wrong(issued["code"]))).status_code == 422
    with vault.database.connect() as connection, connection.begin():
        connection.execute(update(fact).where(*place).values(version=before.version, sealed=before.sealed))
    told = await answer(vault, kept.record, issued)
    assert (told.status_code, told.json()["code"]) == (503, "integrity")
    assert vault.entries()[-1].kind == "alarm"
