"""Contact: one person's verdict, and lists made at the moment they leave, from who agreed electronically and still does (6.4)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio

from keys.keyring import DataKey
from tests.access.counter import Counter, told
from tests.access.desk import written as uuid_of
from tests.access.test_processors import TERMS
from tests.access.test_race import second_process, withdraw
from tests.household import FATIMA, asked, errand, grant, store
from tests.household import withdraw as take_back
from tests.simulator import World
from vault.access import contact
from vault.access.contact import Wanted
from vault.access.contact_api import contact_routes
from vault.access.withdrawal_api import withdrawal_routes
from vault.access_log.verify import snapshot
from vault.access_log.verify import verify as verify_log
from vault.errors import NotFound, Refused, Unavailable
from vault.rulebook.asker import Errand
from vault.rulebook.association import Association
from vault.rulebook.channels import Channels, Name
from vault.subjects import people
from vault.subjects import tables as subject_tables
from vault.subjects.people import Known

pytestmark = pytest.mark.asyncio(loop_scope="function")
SENDER = {"ar": "جمعية الاختبار", "en": "Test Association"}
LIST = {"type": "beneficiary", "purpose": "sms_offers", "channel": "sms"}
MOBILES = ("0551234567", "0551234568", "0551234569")


@pytest_asyncio.fixture
async def http(vault: World) -> AsyncIterator[httpx.AsyncClient]:
    named = {vault.code: Channels(name=Name(**SENDER), site="https://vault.example.org")}
    async with vault.front(*contact_routes(named), *withdrawal_routes(vault.associations, named)) as made:
        yield made


async def everybody(world: World, *, withdrawn: int | None = None) -> list[tuple[bytes, bytes]]:
    """Three people who agreed to offers by text message, and a fourth who agreed to nothing: records and consents of the three."""
    made = []
    for number, mobile in enumerate(MOBILES):
        kept = await store(
            world, FATIMA | {"national_id": f"10000000{number}{'0'}"[:10], "mobile": mobile} | {"identity_note": "x"} | no_id()
        )
        made.append(kept.record)
    await store(world, no_id() | {"full_name": "منى", "identity_note": "x", "mobile": "0551111111"})
    world.clock.forward(1)
    given = [(record, (await grant(world, record, await agreed(world))).id) for record in made]
    if withdrawn is not None:
        world.clock.forward(1)
        await take_back(world, given[withdrawn][1])
    return given


def no_id() -> dict[str, Any]:
    return {"national_id": None}


async def agreed(world: World, purpose: str = "sms_offers", *fields: str) -> Any:
    return await asked(world, purpose, fields=frozenset(fields or ("mobile", "full_name")))


def by(world: World, key: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key or world.ceremony.api_key}", "Accept-Language": "en"}


async def page(http: httpx.AsyncClient, world: World, key: str | None = None, **changes: Any) -> httpx.Response:
    return await http.post("/v1/contacts", json={**LIST, **changes}, headers=by(world, key))


async def may(http: httpx.AsyncClient, world: World, record: bytes, key: str | None = None, **changes: Any) -> dict[str, Any]:
    body = {"record": uuid_of(record), "purpose": "sms_offers", "channel": "sms", **changes}
    answer = await http.post("/v1/may-contact", json=body, headers=by(world, key))
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_a_list_holds_who_agrees_at_that_moment_and_names_its_sender(vault: World, http: httpx.AsyncClient):
    given = await everybody(vault, withdrawn=1)
    count = len(vault.entries())
    answer = await page(http, vault, named=True)
    assert answer.status_code == 200, answer.text
    told_, written = answer.json(), vault.entries()[count:]
    assert {one["record"]: one["fields"] for one in told_["items"]} == {
        uuid_of(given[number][0]): {"mobile": f"+966{MOBILES[number][1:]}", "full_name": FATIMA["full_name"]} for number in (0, 2)
    }
    assert (told_["sender"], told_["left_out"], told_["next"]) == (SENDER, 2, None)
    assert told_["decided_at"] < told_["valid_until"]
    # Beside everybody stands the link by which she ends it herself.
    stop = next(one["stop"] for one in told_["items"] if one["record"] == uuid_of(given[0][0]))
    assert stop.startswith("https://vault.example.org/probe/withdrawal/")
    pressed = await http.post(stop.removeprefix("https://vault.example.org"), data={"act": "withdraw"})
    assert pressed.status_code == 200
    vault.clock.forward(1)
    assert [one["record"] for one in (await page(http, vault)).json()["items"]] == [uuid_of(given[2][0])]
    allowed = [one for one in written if (one.kind, one.outcome) == ("contact", "allow")]
    assert sorted(len(one.about) for one in allowed) == [1, 1]
    assert {(one.basis, one.article, one.purpose, one.recipient, one.fields) for one in allowed} == {
        ("electronic_consent", "cooperative:6.4", "sms_offers", "INTERNAL", ("full_name", "mobile"))
    }
    refused = {one.reason: {about.record for about in one.about} for one in written if (one.kind, one.outcome) == ("contact", "refuse")}
    assert refused["CONSENT_WITHDRAWN"] == {given[1][0]}
    assert refused.keys() == {"CONSENT_WITHDRAWN", "NO_CONSENT"}
    assert [(one.kind, one.count) for one in written][-1] == ("contact.listed", 2)


async def test_pages_go_on_where_the_last_one_ended_and_each_is_decided_anew(vault: World, http: httpx.AsyncClient):
    given = await everybody(vault)
    seen, after, ended = [], None, False
    for _ in range(6):
        answer = await page(http, vault, limit=1, **({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        told_ = answer.json()
        seen += [one["record"] for one in told_["items"]]
        if seen and not ended:
            ended = True
            vault.clock.forward(1)
            for record, consent in given:
                if uuid_of(record) not in seen:
                    await take_back(vault, consent)
        after = told_["next"]
        if after is None:
            break
    assert after is None
    assert len(seen) == 1, "whoever withdrew after the first page is on none after it"


async def test_somebody_without_the_means_is_not_on_it_though_she_agreed(vault: World, http: httpx.AsyncClient):
    kept = await store(vault, {"full_name": "هند", "identity_note": "x"})
    vault.clock.forward(1)
    await grant(vault, kept.record, await agreed(vault))
    assert (await page(http, vault)).json()["items"] == []


async def test_may_contact_tells_one_persons_verdict_with_its_entry_and_no_value(vault: World, http: httpx.AsyncClient):
    (record, consent), *_ = await everybody(vault)
    said = await may(http, vault, record)
    assert (said["decision"], said["reason"], said["article"], said["fields_covered"]) == (
        "permit",
        "CONSENT_OK",
        "cooperative:6.4",
        ["mobile"],
    )
    entry = vault.entries()[said["entry"]["index"]]
    assert (entry.kind, entry.outcome, entry.fields) == ("contact.asked", "allow", ("mobile",))
    assert (await may(http, vault, record, channel="call"))["reason"] == "ACTION_MISMATCH"
    assert (await may(http, vault, record, purpose="service_delivery"))["reason"] == "ACTION_MISMATCH"
    assert (await may(http, vault, record, purpose="email_offers", channel="email"))["reason"] == "NO_CONSENT"
    assert (await may(http, vault, record, purpose="nothing"))["reason"] == "UNKNOWN_PURPOSE"
    vault.clock.forward(1)
    await take_back(vault, consent)
    ended = await may(http, vault, record)
    assert (ended["decision"], ended["reason"]) == ("deny", "CONSENT_WITHDRAWN")
    nobody = await http.post("/v1/may-contact", json={"record": str(uuid.uuid4()), **LIST_ASKED}, headers=by(vault))
    assert told(nobody) == (404, "not-found")


LIST_ASKED = {"purpose": "sms_offers", "channel": "sms"}


async def test_a_type_without_that_means_and_what_no_list_is_made_of_are_told_before_anybody_is_looked_at(
    vault: World, http: httpx.AsyncClient
):
    await everybody(vault)
    staff = await store(vault, {"full_name": "سعد", "identity_note": "x"}, type_="guardian")
    count = len(vault.entries())
    assert told(await page(http, vault, type="nothing")) == (422, "invalid")
    assert told(await page(http, vault, type="visitor")) == (422, "invalid")
    assert told(await page(http, vault, limit=0)) == (422, "invalid")
    assert told(await page(http, vault, limit=501)) == (422, "invalid")
    assert len(vault.entries()) == count
    refusals = [
        await page(http, vault, purpose="nothing"),
        await page(http, vault, purpose="service_delivery"),
        await page(http, vault, channel="call"),
    ]
    assert [told(one) for one in refusals] == [(403, "unknown-purpose"), *[(403, "action-mismatch")] * 2]
    written = vault.entries()[count:]
    assert [(one.kind, one.outcome, one.about) for one in written] == [("contact.listed", "refuse", ())] * 3
    assert (await may(http, vault, staff.record, channel="email", purpose="email_offers"))["reason"] in {"NO_FIELDS", "NO_CONSENT"}


async def test_no_list_without_the_senders_name(small: World):
    async with small.front(*contact_routes({})) as http:
        assert told(await page(http, small)) == (409, "sender-unnamed")
    assert [one.kind for one in small.entries() if one.kind.startswith("contact")] == []


async def test_a_row_that_was_put_back_makes_no_list(small: World):
    given = await everybody(small)
    with small.database.connect() as connection, connection.begin():
        sheet = subject_tables.sheet
        connection.execute(sheet.update().values(version=sheet.c.version + 1))
    job = await errand(small)
    with pytest.raises(Unavailable, match="integrity"):
        await small.association.run(lambda deed: contact.page(deed, job, Wanted(type="beneficiary", purpose="sms_offers", channel="sms")))
    assert given


async def test_a_processors_client_gets_it_under_an_agreement_for_that_purpose_and_nobody_else(counter: Counter):
    world = counter.world
    (record, consent), *_ = await everybody(world)
    await counter.recipient("mailer", kind="processor")
    await counter.recipient("partner")
    named = {world.code: Channels(name=Name(**SENDER))}
    scopes = {"scopes": ("contacts:read", "decisions:ask"), "purposes": ("sms_offers", "partner_sharing")}
    await counter.system_of("mailer", **scopes)
    await counter.system_of("partner", **scopes)
    wrong = await counter.ask("officer", "POST", "/agreements", counter.agreement(purposes=["sms_offers"]))
    assert told(wrong) == (422, "invalid"), "an agreement with a partner is for what is disclosed to it"
    async with world.front(*contact_routes(named)) as http:
        key, partner = counter.tokens["mailer"], counter.tokens["partner"]
        assert told(await page(http, world, key)) == (403, "no-agreement")
        assert (await may(http, world, record, key))["reason"] == "NO_AGREEMENT"
        assert told(await page(http, world, partner)) == (403, "out-of-scope")
        await counter.allied(recipient="mailer", purposes=["sms_offers"], processing=TERMS)
        first = await page(http, world, key)
        assert (len(first.json()["items"]), first.json()["left_out"]) == (3, 1)
        assert (await may(http, world, record, key))["decision"] == "permit"
        assert told(await page(http, world, key, purpose="email_offers", channel="email")) == (403, "out-of-scope")
        assert told(await page(http, world, partner)) == (403, "out-of-scope")
        world.clock.forward(1)
        await take_back(world, consent)
        assert (await may(http, world, record, key))["reason"] == "CONSENT_WITHDRAWN"
        after = await page(http, world, key)
        assert uuid_of(record) not in {one["record"] for one in after.json()["items"]}
    allowed = [one for one in world.entries() if one.kind == "contact" and one.outcome == "allow"]
    assert {(one.recipient, bool(one.agreement), one.basis) for one in allowed} == {("INTERNAL", True, "electronic_consent")}


async def lists(association: Association, job: Errand, done: asyncio.Event, turn: asyncio.Semaphore) -> tuple[int, int]:
    """Whole lists, one after another, until told to stop: pages made, of which each gives a turn, and people given out."""
    pages = given_out = 0
    after: bytes | None = None
    while after is not None or not done.is_set():
        wanted = Wanted(type="beneficiary", purpose="sms_offers", channel="sms", after=after, limit=25)
        with suppress(Unavailable):  # the other process held the database too long: the page is asked for again
            made = await association.run(partial(contact.page, errand=job, wanted=wanted))
            pages, given_out, after = pages + 1, given_out + len(made.contacts()), made.next
            turn.release()
    return pages, given_out


@pytest.mark.slow
async def test_no_page_holds_anybody_behind_a_withdrawal_whichever_process_made_it(vault: World):
    """Pages through one process while withdrawals come in through another: nobody is given out behind her withdrawal."""
    kept = await asyncio.gather(*(store(vault, {"full_name": "منى", "identity_note": "x", "mobile": f"0551{n:06}"}) for n in range(120)))
    vault.clock.forward(1)
    consent = await agreed(vault)
    given = await asyncio.gather(*(grant(vault, one.record, consent) for one in kept))
    vault.clock.forward(1)
    job, done, turn = await errand(vault), asyncio.Event(), asyncio.Semaphore(0)
    with second_process(vault, await vault.system()) as second:
        listing = asyncio.ensure_future(lists(second.association, second.job, done, turn))
        for start in range(0, len(given), 4):
            await turn.acquire()  # the next page is on its way while these withdraw
            await asyncio.gather(*(withdraw(vault, job, one.id, asyncio.Event()) for one in given[start : start + 4]))
        done.set()
        pages, given_out = await listing
    ended: set[bytes] = set()
    outcomes = []
    for entry in vault.entries():
        ended |= {about.subject for about in entry.about} if entry.kind == "consent.withdrawn" else set()
        if entry.kind == "contact":
            outcomes += [(entry.outcome, about.subject in ended) for about in entry.about]
    assert len(ended) == 120
    assert pages >= len(given) // 4
    assert given_out == outcomes.count(("allow", False)) > 0
    assert outcomes.count(("refuse", True)) > 0
    assert set(outcomes) == {("allow", False), ("refuse", True)}
    await vault.association.checkpoint()
    with snapshot(vault.database, vault.association.id) as connection:
        own = vault.association
        assert verify_log(connection, own.id, own.code, own.cabinet.signer.vkey_at, own.outside.read(), cabinet=own.cabinet).lines() == []


async def test_a_person_whose_sheet_is_not_there_is_nobody(small: World, monkeypatch: pytest.MonkeyPatch):
    given, job = await everybody(small), await errand(small)
    nobody = lambda _deed, _record: Known(bytes(16), None, DataKey(bytes(32), 1, 1))  # noqa: E731 - one line
    monkeypatch.setattr(people, "of_record", nobody)
    with pytest.raises(NotFound):
        await small.association.run(lambda deed: contact.may_contact(deed, job, given[0][0], "sms_offers", "sms"))


async def test_who_is_refused_is_refused_by_the_deed_too(small: World):
    job = await errand(small)
    with pytest.raises(Refused):
        await small.association.run(lambda deed: contact.page(deed, job, Wanted(type="beneficiary", purpose="x", channel="sms")))
