"""Consent under the relationship packs: whose word is enough, what a channel can capture, what an application is kept as."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.consent.test_challenges import answer, challenge
from tests.household import BASIC, asked, errand, grant, read, store, written
from tests.simulator import World, world
from vault.consent import history, receipts
from vault.consent.receipt_words import lines
from vault.errors import Invalid, Refused
from vault.policy.pack import load, names

pytestmark = pytest.mark.asyncio(loop_scope="function")
OVER = [name for name in names() if load(name).extends]


@pytest.fixture
def orphans(database_url: str, tmp_path: Path) -> Iterator[World]:
    """An association for the care of orphans, on each engine."""
    with world(database_url, tmp_path, pack="orphan-care") as made:
        yield made


@pytest.fixture(params=OVER)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """An association under each relationship pack."""
    with world(f"sqlite:///{tmp_path / 'house.sqlite3'}", tmp_path, pack=request.param) as made:
        yield made


async def told(house: World, record: bytes) -> list[history.Told]:
    job = await errand(house)
    return (await house.association.run(lambda deed: history.consents(deed, job, record, None))).items


async def test_where_sensitive_data_is_kept_a_systems_word_is_not_enough_and_an_answer_to_the_vault_is(orphans: World):
    kept = await store(orphans)
    recorded = await grant(orphans, kept.record)
    assert recorded.state == "evidence-incomplete"
    with pytest.raises(Refused) as refused:
        await read(orphans, kept.record)
    assert (refused.value.code, refused.value.article) == ("evidence-incomplete", "orphan-care:6.1")
    issued = (await challenge(orphans, kept.record)).json()
    assert (await answer(orphans, kept.record, issued)).status_code == 201
    assert (await read(orphans, kept.record)).keys() == set(BASIC)
    assert [(one.state, one.asserted_by) for one in await told(orphans, kept.record)] == [
        ("evidence-incomplete", "client"),
        ("given", "vault"),
    ]


async def test_paper_is_enough_there_once_it_is_seen(orphans: World):
    kept = await store(orphans)
    paper = await asked(orphans, form="written", evidence=written("second_officer@probe", orphans.clock.now))
    assert (await grant(orphans, kept.record, paper)).state == "awaiting-verification"


@pytest.mark.parametrize(
    ("channel", "form", "code"),
    [
        ("phone", "electronic", "channel-form"),
        ("phone", "written", "channel-form"),
        ("letter", "electronic", "channel-form"),
        ("fax", "electronic", "unknown-channel"),
    ],
)
async def test_a_channel_captures_only_what_it_can(small: World, channel: str, form: Any, code: str):
    kept = await store(small)
    what = await asked(small, form=form, channel=channel)
    if form == "written":
        what = replace(what, evidence=written("second_officer@probe", small.clock.now))
    with pytest.raises(Invalid) as refused:
        await grant(small, kept.record, what)
    assert [(one.field, one.code) for one in refused.value.errors] == [("channel", code)]


async def test_the_channel_is_told_with_the_consent(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record, await asked(vault, channel="website"))
    await grant(vault, kept.record, await asked(vault, "sms_offers", fields=frozenset({"mobile"})))
    assert [one.channel for one in await told(vault, kept.record)] == ["website", ""]


async def test_a_spoken_word_is_recorded_and_never_enough(house: World):
    kept = await store(house)
    spoken = await asked(house, form="verbal", channel="phone", evidence={})
    await grant(house, kept.record, spoken)
    with pytest.raises(Refused, match="evidence-insufficient"):
        await read(house, kept.record)


async def test_an_application_is_kept_with_its_reason_sealed_and_its_receipt_tells_the_least_time(house: World):
    pack = load((await house.association.book()).association.pack)
    fields = {"requested_service": "كفالة", "decision": "refused", "decision_reason": "لا تنطبق الشروط"}
    applicant = await store(house)
    kept = await store(house, fields, type_="application", known=applicant.subject)
    with pytest.raises(Refused, match="no-consent"):
        await read(house, kept.record, "application", ("decision_reason",))
    what = await asked(house, "application", form="written", explicit=True, fields=frozenset({"requested_service", "decision_reason"}))
    evidence = written("second_officer@probe", house.clock.now)
    given = await grant(house, kept.record, replace(what, evidence=evidence))
    job = await errand(house)
    made = await house.association.run(lambda deed: receipts.document(deed, job, given.id, {}))
    process = made["dpv:hasRecordOfActivity"][0]["dpv:hasProcess"][0]
    days = pack.reply["service_decision_min_days"]
    assert process.get("amanah:leastDecisionTime") == ({"@type": "xsd:duration", "@value": f"P{days}D"} if days else None)
    for language in ("ar", "en"):
        assert any(str(days) in words for _, words in lines(made, language)) or not days
