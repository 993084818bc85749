"""The queues of recalls, take-downs and referrals on the officer's pages: seen, worked off, and each step an entry."""

import re
import uuid

import pytest

from tests.access.test_publishing import told_story
from tests.access.test_recalls import shared
from tests.household import withdraw
from tests.officer.browser import Window, text_of, uuid_of
from vault.access import publishing, referrals
from vault.access.following import Follower
from vault.officer.frame import Speaker
from vault.rulebook.asker import Errand

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_a_recall_waits_until_the_recipients_word_is_noted(window: Window):
    record, consent = await shared(window.counter)
    await window.sign_in()
    assert "Nothing waits for a party's word" in text_of(await window.get("/officer/recalls"))
    await withdraw(window.world, consent)
    assert await Follower(window.world.association).follow() == 1
    page = await window.get("/officer/recalls")
    for words in ("consent withdrawn", uuid_of(record), "not delivered; write to the party"):
        assert words in text_of(page)
    assert window.world.entries()[-1].kind == "recalls.read"
    recall = re.search(r'name="recall" value="([0-9a-f-]{36})"', page.text)
    assert recall is not None
    assert (await window.send("/officer/recalls", recall=recall[1], outcome="lost")).status_code == 400
    assert (await window.send("/officer/recalls", recall="x", outcome="kept")).status_code == 404
    done = await window.send("/officer/recalls", recall=recall[1], outcome="destroyed")
    assert done.headers["location"] == "/officer/recalls?done=noted&lang=en"
    assert window.world.entries()[-1].kind == "recall.confirmed"
    assert recall[1] not in (await window.get("/officer/recalls", done="noted")).text


async def test_what_is_to_be_taken_down_stands_there_until_it_is_gone(window: Window):
    world = window.world
    record, consent = await told_story(world)
    wanted = publishing.Wanted(record=record, fields=("story",), purpose="publication", channel="website", place="https://example.org/7")
    errand = Errand(await world.person("officer"), "request-1")
    made = await world.association.run(lambda deed: publishing.publish(deed, errand, wanted, None))
    assert isinstance(made, publishing.PublicationFact)
    await window.sign_in()
    assert "Nothing is to be taken down" in text_of(await window.get("/officer/take-downs"))
    await withdraw(world, consent)
    await Follower(world.association).follow()
    assert "Website Place https://example.org/7" in text_of(await window.get("/officer/take-downs"))
    done = await window.send("/officer/take-downs", publication=str(uuid.UUID(made.id)))
    assert done.headers["location"] == "/officer/take-downs?done=noted&lang=en"
    assert world.entries()[-1].kind == "publication.taken-down"
    assert "example.org/7" not in (await window.get("/officer/take-downs", done="noted")).text


async def test_what_a_partner_said_on_the_telephone_is_noted(window: Window):
    world = window.world
    kept = await window.counter.agreed()
    await window.counter.allied()
    world.clock.forward(1)
    wanted = referrals.Wanted(record=kept.record, recipient="partner", purpose="partner_sharing", service="housing")
    errand = Errand(await world.person("officer"), "request-1")
    made = await world.association.run(lambda deed: referrals.offer(deed, errand, wanted, None))
    await window.sign_in()
    page = await window.get("/officer/referrals")
    assert "Service housing Data without data" in text_of(page)
    id_ = str(uuid.UUID(made.id))  # type: ignore[union-attr]  # what is refused is no referral
    shown = Speaker("en").time(world.clock.now)
    said = {"referral": id_, "way": "phone", "at": shown.replace(" ", "T")}
    assert (await window.send("/officer/referrals", **said, act="answer", word="perhaps")).status_code == 400
    early = await window.send("/officer/referrals", **{**said, "at": "2025-01-01T03:00"}, act="answer", word="accepted")
    assert (early.status_code, "2025-01-01T03:00" in early.text) == (422, True)
    done = await window.send("/officer/referrals", **said, act="answer", word="accepted")
    assert done.headers["location"] == "/officer/referrals?state=accepted&done=noted&lang=en"
    other = await window.send("/officer/referrals", **said, act="answer", word="refused")
    assert other.status_code == 409
    await window.send("/officer/referrals", **said, act="outcome", word="served")
    assert world.entries()[-1].kind == "referral.outcome-noted"
    told = text_of(await window.get("/officer/referrals", state="outcome"))
    assert f"accepted, by telephone, \u2066{shown}\u2069, \u2066staff:" in told
