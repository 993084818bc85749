"""A person's own page: let in by link and code, told all she agreed to and in which words and no value, and withdrawing with one press."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from tests.access.test_tampering import client
from tests.household import FATIMA, asked, errand, grant, lay_down, read, store, withdraw
from tests.simulator import World
from vault.access import person_links, person_pages
from vault.access.person_api import person_routes
from vault.access.person_links import LASTS, PERSON_PAGES, TRIES, WAITS
from vault.access_log.verify import snapshot
from vault.consent import link_token
from vault.consent.challenges import FORM
from vault.errors import Refused
from vault.policy.events import GuardianshipEnded
from vault.records.service import GuardianOf, Kept
from vault.rulebook import facts
from vault.rulebook.channels import Channels
from vault.rulebook.requests import REQUEST, RequestFact
from vault.rulebook.shapes import CLIENT, STAFF
from vault.rulebook.tables import fact
from vault.subjects import people
from vault.subjects.sheet import happened
from vault.web.call import write_id

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def call(world: World, method: str, path: str, form: Mapping[str, str] | None = None, *, key: str = "", **more: Any) -> Any:
    channels = {world.code: Channels(site="https://vault.example.org")}
    async with world.front(*person_routes(world.associations, channels)) as http:
        return await http.request(method, path, data=form, headers={"Authorization": f"Bearer {key}"} if key else {}, **more)


async def issued(world: World, kept: Kept, **body: str) -> dict[str, str]:
    """A link and a code for somebody's page."""
    made = await call(world, "POST", f"/v1/records/{write_id(kept.record)}/person-page", key=world.ceremony.api_key, json=body)
    assert made.status_code == 201, made.text
    told: dict[str, str] = made.json()
    assert told["url"] == f"https://vault.example.org{told['path']}"
    return told


def session_in(page: Any) -> str:
    """The session a page carries."""
    assert page.status_code == 200, page.text
    found = set(re.findall(r'name="session" value="([A-Za-z0-9_-]{43})"', page.text))
    assert len(found) == 1
    return str(found.pop())


async def test_link_and_code_show_what_was_agreed_to_in_which_words_and_no_value(vault: World):
    kept = await store(vault)
    await grant(vault, kept.record)
    given = await grant(vault, kept.record, await asked(vault, "sms_offers", fields=frozenset({"mobile"})))
    vault.clock.forward(1)
    await withdraw(vault, given.id)
    way = await issued(vault, kept)
    door = await call(vault, "GET", way["path"])
    assert (door.status_code, 'id="code"' in door.text, "تقديم الخدمة" in door.text) == (200, True, False)
    page = await call(vault, "POST", f"{way['path']}?lang=en", {"code": way["code"].translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))})
    book = await vault.association.book()
    notice = book.current_notice("service_delivery")
    assert notice is not None
    assert notice.texts["ar"].split("\n")[0] in page.text
    assert notice.sha256["ar"] in page.text
    assert all(said in page.text for said in ("Service delivery", "in force", "withdrawn", "electronic"))
    assert page.text.index("withdrawn") < page.text.index("in force"), "newest first"
    assert not [value for value in FATIMA.values() if value in page.text]
    assert way["code"] not in page.text
    assert page.text.count('value="withdraw"') == 1, "what has ended has no button"
    told = [(one.kind, one.outcome, one.actor) for one in vault.entries()][-2:]
    assert told == [("person-page.opened", "allow", "person"), ("consent.read", "allow", "person")]
    assert vault.entries()[-1].about[0].subject == kept.subject


async def test_one_press_withdraws_and_the_page_says_so(vault: World):
    kept = await store(vault)
    given = await grant(vault, kept.record)
    way = await issued(vault, kept)
    session = session_in(await call(vault, "POST", way["path"], {"code": way["code"]}))
    body = {"session": session, "act": "withdraw", "consent": write_id(given.id)}
    done = await call(vault, "POST", way["path"], body)
    assert "سُحبت الموافقة" in done.text
    with pytest.raises(Refused, match="consent-withdrawn"):
        await read(vault, kept.record)
    size = len(vault.entries())
    assert (await call(vault, "POST", way["path"], body)).status_code == 200
    assert [one.kind for one in vault.entries()[size:]] == ["consent.read"]
    other = await store(vault, {**FATIMA, "mobile": "0557654321"})
    hers = await grant(vault, other.record)
    for wrong in (write_id(hers.id), write_id(b"n" * 16), "x", ""):
        told = await call(vault, "POST", way["path"], {**body, "consent": wrong})
        assert told.status_code == 404
    assert await read(vault, other.record)


async def test_what_a_key_or_an_account_made_ends_with_it(vault: World):
    kept = await store(vault)
    key, id_, made = await client(vault, "reception", scopes=("consents:write",))
    link = await call(vault, "POST", f"/v1/records/{write_id(kept.record)}/person-page", key=key)
    way, unused = link.json(), (await call(vault, "POST", f"/v1/records/{write_id(kept.record)}/person-page", key=key)).json()
    session = session_in(await call(vault, "POST", way["path"], {"code": way["code"]}))
    assert (await call(vault, "GET", unused["path"])).status_code == 200
    vault.clock.forward(1)
    await lay_down(vault, CLIENT, id_, msgspec.structs.replace(made, revoked_at=vault.clock.now))
    assert (await call(vault, "POST", way["path"], {"session": session})).status_code == 404
    assert (await call(vault, "GET", unused["path"])).status_code == 404
    assert (await call(vault, "POST", unused["path"], {"code": unused["code"]})).status_code == 404
    officer = await vault.session("officer")
    hers = (await call(vault, "POST", f"/v1/records/{write_id(kept.record)}/person-page", key=officer)).json()
    assert (await call(vault, "GET", hers["path"])).status_code == 200
    account = (await vault.association.book()).staff[(await vault.person("officer")).id]
    await lay_down(vault, STAFF, account.id, msgspec.structs.replace(account, active=False))
    assert (await call(vault, "GET", hers["path"])).status_code == 404


async def test_a_copy_a_correction_or_destruction_is_asked_for_and_she_sees_how_it_stands(vault: World):
    kept = await store(vault)
    way = await issued(vault, kept)
    session = session_in(await call(vault, "POST", way["path"], {"code": way["code"]}))
    said = "الاسم يُكتب بالتاء المربوطة"
    page = await call(vault, "POST", f"{way['path']}?lang=en", {"session": session, "act": "ask", "kind": "correction", "says": said})
    assert all(
        one in page.text for one in ("The association has your request", "to have the personal data corrected", "received and worked on")
    )
    assert said not in page.text, "what she said is not shown again"
    [found] = (await queue_of(vault)).values()
    assert (found.kind, found.channel, found.given_by, found.state) == ("correction", "own_page", "self", "verified")
    assert (found.due_at - found.received_at) // 86_400_000_000 == 30
    await call(vault, "POST", way["path"], {"session": session, "act": "ask", "kind": "correction"})
    assert len(await queue_of(vault)) == 1, "sent twice, asked once"
    for kind in ("copy", "destruction"):
        await call(vault, "POST", way["path"], {"session": session, "act": "ask", "kind": kind})
    assert sorted(one.kind for one in (await queue_of(vault)).values()) == ["copy", "correction", "destruction"]
    for wrong in ({"kind": "withdrawal"}, {"kind": ""}, {}, {"kind": "copy", "says": "x" * 4001}):
        assert (await call(vault, "POST", way["path"], {"session": session, "act": "ask", **wrong})).status_code == 422


async def test_no_more_than_so_many_requests_of_hers_wait(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(person_pages, "MOST_OPEN", 1)
    way = await issued(small, await store(small))
    session = session_in(await call(small, "POST", way["path"], {"code": way["code"]}))
    asks = [await call(small, "POST", way["path"], {"session": session, "act": "ask", "kind": kind}) for kind in ("copy", "destruction")]
    assert [one.status_code for one in asks] == [200, 429]


async def queue_of(world: World) -> dict[str, RequestFact]:
    """Every request there is."""
    with snapshot(world.database) as connection:
        return facts.read_known(connection, world.association.cabinet, world.association.id, REQUEST)


async def test_five_wrong_codes_close_the_link_and_each_is_an_entry(vault: World):
    kept = await store(vault)
    way = await issued(vault, kept)
    wrong = f"{(int(way['code']) + 1) % 10**8:08d}"
    for tried in range(1, TRIES + 1):
        told = await call(vault, "POST", way["path"], {"code": wrong})
        assert told.status_code == (422 if tried < TRIES else 200)
        assert (wrong in told.text, 'aria-invalid="true"' in told.text) == (False, tried < TRIES)
    assert "أُغلقت" in told.text
    refused = [one for one in vault.entries() if one.kind == "person-page.opened"]
    assert [(one.outcome, one.reason) for one in refused] == [("refuse", "CODE_WRONG")] * TRIES
    size = len(vault.entries())
    closed = await call(vault, "POST", way["path"], {"code": way["code"]})
    assert ("أُغلقت" in closed.text, 'name="session"' in closed.text, len(vault.entries())) == (True, False, size)


async def test_a_try_put_back_by_sql_is_an_alarm(vault: World):
    way = await issued(vault, await store(vault))
    place = (fact.c.kind == PERSON_PAGES.name,)
    with vault.database.connect() as connection:
        before = connection.execute(select(fact.c.version, fact.c.sealed).where(*place)).one()
    await call(vault, "POST", way["path"], {"code": "x"})
    with vault.database.connect() as connection, connection.begin():
        connection.execute(update(fact).where(*place).values(version=before.version, sealed=before.sealed))
    assert (await call(vault, "POST", way["path"], {"code": way["code"]})).status_code == 503
    assert vault.entries()[-1].kind == "alarm"


async def test_a_code_works_once_for_three_days_and_a_session_a_quarter_of_an_hour(small: World):
    kept = await store(small)
    way, late, last = await issued(small, kept), await issued(small, kept), await issued(small, kept)
    session = session_in(await call(small, "POST", way["path"], {"code": way["code"]}))
    assert "أُغلقت" in (await call(small, "POST", way["path"], {"code": way["code"]})).text
    assert session_in(await call(small, "POST", way["path"], {"session": session})) == session, "the other try ends nothing"
    for wrong in ({"session": session[:-1] + "_"}, {"session": "x"}):
        assert 'name="session"' not in (await call(small, "POST", way["path"], wrong)).text
    assert 'name="session"' not in (await call(small, "POST", late["path"], {"session": session})).text, "a session is one link's"
    small.clock.forward(LASTS / 1_000_000)
    for act in ("", "withdraw", "ask", "leave"):
        told = await call(small, "POST", way["path"], {"session": session, "act": act, "consent": write_id(b"n" * 16)})
        assert ("أُغلقت" in told.text, 'name="session"' in told.text) == (True, False)
    small.clock.forward((WAITS - LASTS) / 1_000_000 - 2)
    session_in(await call(small, "POST", last["path"], {"code": last["code"]}))
    small.clock.forward(3)
    assert "أُغلقت" in (await call(small, "POST", late["path"], {"code": late["code"]})).text
    small.clock.forward(LASTS / 1_000_000)
    assert (await call(small, "GET", late["path"])).status_code == 404


async def test_who_leaves_is_out(small: World):
    way = await issued(small, await store(small))
    session = session_in(await call(small, "POST", way["path"], {"code": way["code"]}))
    assert "أُغلقت" in (await call(small, "POST", way["path"], {"session": session, "act": "leave"})).text
    assert small.entries()[-1].kind == "person-page.left"
    assert "أُغلقت" in (await call(small, "POST", way["path"], {"session": session})).text


async def test_a_guardian_sees_and_withdraws_for_her_ward_until_her_office_ends(small: World):
    mother = await store(small)
    child = await store(small, {**FATIMA, "birth_date": "2020-01-01"}, kind="beneficiary", guardian=GuardianOf(mother.subject, "wali"))
    given = await grant(small, child.record, await asked(small, given_by=mother.subject.hex()))
    way, spare = [await issued(small, child, given_to=write_id(mother.subject)) for _ in range(2)]
    page = await call(small, "POST", way["path"], {"code": way["code"]})
    assert "أعطاها الولي" in page.text
    await call(small, "POST", way["path"], {"session": session_in(page), "act": "withdraw", "consent": write_id(given.id)})
    assert small.entries()[-2].kind == "consent.withdrawn"
    stranger = await call(
        small,
        "POST",
        f"/v1/records/{write_id(child.record)}/person-page",
        key=small.ceremony.api_key,
        json={"given_to": write_id(b"s" * 16)},
    )
    assert (stranger.status_code, stranger.json()["errors"]) == (422, [{"field": "given_to", "code": "unknown-guardian"}])
    job, event = await errand(small), happened(GuardianshipEnded(mother.subject.hex(), small.clock.now), at=small.clock.now, by="client:1")
    await small.association.run(
        lambda deed: people.change(
            deed, people.of_subject(deed, child.subject), [event], job.entry(kind="guardianship.ended", outcome="allow")
        )
    )
    small.clock.forward(1)
    assert (await call(small, "GET", spare["path"])).status_code == 404
    assert (await call(small, "POST", way["path"], {"session": session_in(page)})).status_code == 404


async def test_what_is_no_link_is_one_404_and_nobody_without_the_scope_makes_one(small: World):
    kept = await store(small)
    way = await issued(small, kept)
    head = way["path"].rpartition("/")[0]
    forged = link_token.write(small.association.cabinet, small.association.id, "person", b"n" * 16, small.clock.now + LASTS)
    token = way["path"].rpartition("/")[2]
    for wrong in ("x", "A" * 52, token[:-1] + ("B" if token[-1] == "A" else "A"), forged):
        for method, form in (("GET", None), ("POST", {"code": way["code"]})):
            assert (await call(small, method, f"{head}/{wrong}", form)).status_code == 404
    path = f"/v1/records/{write_id(kept.record)}/person-page"
    assert (await call(small, "POST", path, json={})).status_code == 401
    assert (
        await call(small, "POST", f"/v1/records/{write_id(b'n' * 16)}/person-page", key=small.ceremony.api_key, json={})
    ).status_code == 404


async def test_the_key_of_a_public_form_is_told_no_code(small: World):
    kept = await store(small)
    key, _, _ = await client(small, "form", scopes=(FORM, "consents:write", "notices:read"))
    told = await call(small, "POST", f"/v1/records/{write_id(kept.record)}/person-page", key=key, json={})
    assert (told.status_code, told.json()["code"], told.json()["article"]) == (403, "out-of-scope", "cooperative:1")
    last = small.entries()[-1]
    assert (last.kind, last.outcome, last.reason, last.about[0].record) == ("person-page.issued", "refuse", "OUT_OF_SCOPE", kept.record)


async def test_of_many_consents_the_newest_are_shown_and_the_others_counted(small: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(person_pages, "MOST", 1)
    kept = await store(small)
    for purpose in ("service_delivery", "sms_offers"):
        await grant(small, kept.record, await asked(small, purpose, fields=frozenset({"mobile"})))
    way = await issued(small, kept)
    page = await call(small, "POST", f"{way['path']}?lang=en", {"code": way["code"]})
    assert page.text.count("<section") == 1
    assert "There are 1 older ones" in page.text


async def test_a_code_is_eight_digits_of_all_there_are():
    assert all(re.fullmatch(r"[0-9]{8}", person_links.drawn()) for _ in range(50))
