"""What waits for a second person, on the page: seen, approved with a fresh code, turned down, refused."""

import hashlib
import re
import uuid
from typing import Any

import httpx
import pytest

from tests.access.counter import by_law_of_orders
from tests.household import FATIMA, grant, store
from tests.officer.browser import Window, text_of, uuid_of
from vault.custody.api import routes as custody_routes
from vault.identity.pack_change import written
from vault.policy import pack as packs

pytestmark = pytest.mark.asyncio(loop_scope="function")
PATH = "/officer/approvals"


async def ordered(window: Window) -> tuple[bytes, str]:
    """Somebody whom an order names that nobody approved yet, and the order's id."""
    kept = await window.counter.agreed()
    await window.counter.recipient("court", kind="authority")
    made = await window.counter.ask("officer", "POST", "/orders", window.counter.order(kept.record))
    return kept.record, str(made.json()["id"])


async def erased(window: Window, record: bytes) -> str:
    """The id of an erasure the officer asked for."""
    asked = await window.counter.ask(
        "officer", "POST", f"/records/{uuid_of(record)}/erasure", {"reason": "طلبت ذلك", "requested_by": "self"}
    )
    assert asked.status_code == 202, asked.text
    return str(asked.json()["id"])


async def proposed(window: Window) -> str:
    """The id of an act on the keys the administrator proposed."""
    async with window.world.front(*custody_routes(window.world.identity.factor)) as http:
        token = await window.world.session("admin")
        made = await http.post(
            "/v1/keys/ceremonies", json={"act": "copy-add", "name": "safe"}, headers={"Authorization": f"Bearer {token}"}
        )
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_all_that_waits_is_shown_and_approved_with_a_fresh_code_each(window: Window):
    record, order = await ordered(window)
    disclosure = await window.counter.requested(record)
    ceremony = await proposed(window)
    await window.sign_in("second_officer")
    page = await window.get("/officer/approvals")
    said = text_of(page)
    assert all(text in page.text for text in (order, disclosure, ceremony, uuid_of(record), "المحكمة العامة بالرياض", "cd" * 32))
    assert said.count("A fresh one-time code") == 3
    for kind, id_ in (("order", order), ("disclosure", disclosure), ("keys", ceremony)):
        done = await window.approve("second_officer", kind=kind, id=id_, act="approve", considered="yes")
        assert (done.status_code, done.headers["location"]) == (303, "/officer/approvals?done=approved&lang=en"), done.text
    erasure = await erased(window, record)
    page = await window.get("/officer/approvals", done="approved")
    assert erasure in page.text
    assert "Approved; it is an entry" in text_of(page)
    done = await window.approve("second_officer", kind="erasure", id=erasure, act="approve")
    assert done.status_code == 303
    assert "Nothing waits" in text_of(await window.get("/officer/approvals"))
    kinds = [each.kind for each in window.world.entries() if each.outcome == "allow"]
    assert {"order.approved", "disclosure.approved", "keys.ceremony-approved", "erasure.approved"} <= set(kinds)


async def test_who_approves_sees_all_that_she_approves(small_window: Window):
    kept, order = await small_window.counter.under_an_order()
    bounded = {"statute": "نظام الإجراءات الجزائية، المادة 59", "uses": 3, "secret": True}
    await small_window.counter.ask("officer", "POST", "/orders", small_window.counter.order(kept.record, **bounded))
    await small_window.counter.requested(kept.record, **by_law_of_orders(order))
    await proposed(small_window)
    await small_window.sign_in("second_officer")
    page = await small_window.get("/officer/approvals")
    said = text_of(page)
    assert "Kind judicial" in said
    assert "Valid from 2026-01-01" in said
    assert f"The order {order}" in said
    assert "Statute نظام الإجراءات الجزائية، المادة 59 Packages it allows 3 Secrecy the person is not told of it" in said
    assert "add a copy of the keys" in said
    assert "Full name" in said


async def test_what_waits_longest_is_found_behind_all_that_was_settled_since(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vault.access.erasures.MOST_LOOKED_AT", 1)
    waits = await erased(small_window, (await store(small_window.world)).record)
    later = await erased(small_window, (await store(small_window.world, FATIMA | {"national_id": "1000000016"})).record)
    await small_window.sign_in("second_officer")
    await small_window.get("/officer/approvals")
    assert (await small_window.approve("second_officer", kind="erasure", id=later, act="turn-down")).status_code == 303
    page = await small_window.get("/officer/approvals")
    assert (waits in page.text, later in page.text) == (True, False)
    assert "More waits than is shown" not in text_of(page)
    monkeypatch.setattr("vault.officer.approvals.MOST_PAGES", 1)
    page = await small_window.get("/officer/approvals")
    assert waits not in page.text
    assert "More waits than is shown" in text_of(page)


async def test_the_reason_of_an_erasure_and_every_value_stay_off_the_page(small_window: Window):
    record, _ = await ordered(small_window)
    await erased(small_window, record)
    await small_window.sign_in("second_officer")
    page = await small_window.get("/officer/approvals")
    assert not [word for word in ("طلبت", "فاطمة", "1000000008") if word in page.text]


async def test_an_old_code_a_wrong_one_and_none_approve_nothing(small_window: Window):
    _, order = await ordered(small_window)
    await small_window.sign_in("second_officer")
    used = small_window.world.one_time_code("second_officer")
    await small_window.world.identity.sessions.step_up(await small_window.world.knock(small_window.cookie), used)
    for code in (used, "000000", "", "ا"):
        page = await small_window.send("/officer/approvals", kind="order", id=order, act="approve", code=code)
        assert page.status_code == 403
        assert 'role="alert"' in page.text
        assert order in page.text
    assert [each.reason for each in small_window.world.entries() if each.kind == "order.approved"] == ["STEP_UP_REQUIRED"] * 4


async def test_an_order_and_a_disclosure_that_grew_since_they_were_shown_are_not_approved(window: Window):
    record, order = await ordered(window)
    others = [(await store(window.world)).record for _ in range(2)]
    await window.sign_in("second_officer")

    async def grown_while_shown(kind: str, id_: str) -> None:
        [shown] = re.findall(rf'value="{id_}">\s*<input type="hidden" name="named" value="([0-9]+)"', (await window.get(PATH)).text)
        path = f"/{kind}s/{id_}/records"
        more = await window.counter.ask("officer", "POST", path, {"records": [uuid_of(others.pop())]})
        assert more.status_code == 201, more.text
        late = await window.approve("second_officer", kind=kind, id=id_, named=shown, act="approve")
        assert (shown, late.status_code) == ("1", 409)
        done = await window.approve("second_officer", kind=kind, id=id_, named="2", act="approve")
        assert done.status_code == 303

    await grown_while_shown("order", order)
    asked = await window.counter.requested(record, **by_law_of_orders(order))
    others += [(await store(window.world)).record]
    await grown_while_shown("disclosure", asked)


async def test_all_pages_of_an_order_and_a_disclosure_are_looked_through_without_a_value(window: Window):
    counter = window.counter
    everybody = [(await store(window.world, FATIMA | {"national_id": None, "identity_note": "x"})).record for _ in range(5)]
    one, two, outside = everybody[:2], everybody[2:4], everybody[4]
    await counter.recipient("court", kind="authority")
    order = str((await counter.ask("officer", "POST", "/orders", counter.order(*one))).json()["id"])
    await counter.ask("officer", "POST", f"/orders/{order}/records", {"records": list(map(uuid_of, two))})
    await window.sign_in("second_officer")

    async def leaf(kind: str, id_: str, number: int) -> tuple[httpx.Response, str, set[int]]:
        """A page, what it says, and the numbers of the pages it leads to."""
        page = await window.get("/officer/approvals/records", kind=kind, id=id_, page=number)
        assert page.status_code == 200, page.text
        ways = re.findall(r'href="([^"]+)" rel="(?:prev|next)"', page.text)
        assert not [word for word in ("فاطمة", "1000000008") if word in page.text]
        return page, text_of(page), {int(re.findall(r"page=([0-9]+)", way)[0]) for way in ways}

    assert f"/officer/approvals/records?kind=order&amp;id={order}&amp;page=1" in (await window.get(PATH)).text
    for number, records, elsewhere in ((1, one, 2), (2, two, 1)):
        page, said, ways = await leaf("order", order, number)
        assert ({uuid_of(each) for each in everybody if uuid_of(each) in page.text}, ways) == (set(map(uuid_of, records)), {elsewhere})
        assert f"Page {number} of 2" in said
        assert "Records the whole order names 4" in said
    assert (await window.approve("second_officer", kind="order", id=order, named="2", act="approve")).status_code == 303
    asked = await counter.requested(one[0], **by_law_of_orders(order))
    await counter.ask("officer", "POST", f"/disclosures/{asked}/records", {"records": [uuid_of(two[0]), uuid_of(outside)]})
    assert f"/officer/approvals/records?kind=disclosure&amp;id={asked}&amp;page=1" in (await window.get(PATH)).text
    page, said, ways = await leaf("disclosure", asked, 1)
    assert (uuid_of(one[0]) in page.text, uuid_of(two[0]) in page.text, ways) == (True, False, {2})
    assert "Not given" not in said
    page, said, ways = await leaf("disclosure", asked, 2)
    assert (uuid_of(two[0]) in page.text, uuid_of(one[0]) in page.text, ways) == (True, False, {1})
    assert "Records of which something is given, on all pages 2" in said
    assert said.index("Full name") < said.index(uuid_of(outside)) < said.index("nothing") < said.index("article 4")
    looks = [entry.kind for entry in window.world.entries() if entry.kind in {"order.read", "disclosure.read"}]
    assert looks == ["order.read"] * 2 + ["disclosure.read"] * 2


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"page": 2}, {"page": 41}, {"page": "x"}, {"kind": "erasure"}, {"id": "x"}, {"id": str(uuid.UUID(int=4))}]
)
async def test_a_page_of_records_that_is_none_is_told_as_such(small_window: Window, query: dict[str, Any]):
    _, order = await ordered(small_window)
    await small_window.sign_in("second_officer")
    page = await small_window.get("/officer/approvals/records", **{"kind": "order", "id": order, **query})
    assert page.status_code in {400, 404, 422}
    assert order not in page.text


async def test_who_may_not_approve_is_shown_no_page_of_records(small_window: Window):
    _, order = await ordered(small_window)
    await small_window.sign_in("admin")
    page = await small_window.get("/officer/approvals/records", kind="order", id=order)
    assert (page.status_code, order in page.text) == (403, False)


async def test_who_made_a_thing_is_not_offered_to_approve_it_and_is_refused(small_window: Window):
    record, order = await ordered(small_window)
    erasure = await erased(small_window, record)
    await small_window.sign_in("officer")
    page = await small_window.get("/officer/approvals")
    assert text_of(page).count("You made it") == 2
    assert 'value="approve"' not in page.text
    for kind, id_ in (("order", order), ("erasure", erasure)):
        refused = await small_window.approve("officer", kind=kind, id=id_, act="approve")
        assert refused.status_code == 403
    assert [each.reason for each in small_window.world.entries() if each.outcome == "refuse"] == ["SAME_PERSON"] * 2


async def test_what_another_made_is_turned_down_with_a_code_too(window: Window):
    record, order = await ordered(window)
    erasure, ceremony = await erased(window, record), await proposed(window)
    await window.sign_in("second_officer")
    await window.get("/officer/approvals")
    done = await window.approve("second_officer", kind="erasure", id=erasure, act="turn-down")
    assert done.headers["location"] == "/officer/approvals?done=turned-down&lang=en"
    assert "Turned down" in text_of(await window.get("/officer/approvals", done="turned-down"))
    refused = await window.approve("second_officer", kind="keys", id=ceremony, act="turn-down")
    assert refused.status_code == 403
    await window.sign_in("officer")
    await window.get("/officer/approvals")
    wrong = await window.send("/officer/approvals", kind="order", id=order, act="turn-down", code="000000")
    assert wrong.status_code == 403
    assert order in (await window.get("/officer/approvals")).text
    done = await window.approve("officer", kind="order", id=order, act="turn-down")
    assert done.status_code == 303
    assert order not in (await window.get("/officer/approvals")).text


async def test_a_disclosure_is_turned_down_and_waits_no_longer(window: Window):
    record, _ = await ordered(window)
    disclosure = await window.counter.requested(record)
    await window.sign_in("second_officer")
    assert "Turn the disclosure down" in text_of(await window.get("/officer/approvals"))
    done = await window.approve("second_officer", kind="disclosure", id=disclosure, act="turn-down")
    assert done.status_code == 303
    assert window.world.entries()[-1].kind == "disclosure.revoked"
    assert disclosure not in (await window.get("/officer/approvals")).text


async def test_the_keys_are_withdrawn_by_who_may_propose(small_window: Window, monkeypatch: pytest.MonkeyPatch):
    ceremony = await proposed(small_window)
    await small_window.sign_in("second_officer")
    await small_window.get("/officer/approvals")
    monkeypatch.setattr("vault.officer.approvals.TURNED_DOWN_BY", {"keys": "keys:read"})
    assert "Withdraw it" in text_of(await small_window.get("/officer/approvals"))
    done = await small_window.approve("second_officer", kind="keys", id=ceremony, act="turn-down")
    assert done.status_code == 303
    assert small_window.world.entries()[-1].kind == "keys.ceremony-withdrawn"


@pytest.mark.parametrize("over", [{"act": "more"}, {"kind": "more"}, {"kind": "more", "act": "turn-down"}])
async def test_a_form_nobody_is_shown_does_nothing(small_window: Window, over: dict[str, str]):
    await small_window.sign_in("second_officer")
    await small_window.get("/officer/approvals")
    nobody = {"kind": "order", "id": "00000000-0000-4000-8000-000000000000", "act": "approve", **over}
    assert (await small_window.approve("second_officer", **nobody)).status_code == 400


async def test_what_is_not_there_is_told_as_such(small_window: Window):
    await small_window.sign_in("second_officer")
    await small_window.get("/officer/approvals")
    for id_ in ("x", "00000000-0000-4000-8000-000000000000"):
        assert (await small_window.approve("second_officer", kind="order", id=id_, act="approve")).status_code == 404


async def test_a_page_of_approvals_holds_no_other_form(small_window: Window):
    await small_window.sign_in("second_officer")
    page = await small_window.get("/officer/approvals")
    assert set(re.findall(r'<form[^>]* action="([^"?]+)', page.text)) == {"/officer/sign-out"}


async def test_who_approves_a_disclosure_on_consent_says_what_the_law_sets_against_it(window: Window):
    kept = await window.counter.agreed()
    silent, barred = await window.counter.requested(kept.record), await window.counter.requested(kept.record)
    await window.sign_in("second_officer")
    page = await window.get("/officer/approvals")
    said = text_of(page)
    assert said.index("It harms the interest of a minor or ward") < said.index("It touches security")
    refused = await window.approve("second_officer", kind="disclosure", id=silent, act="approve")
    assert (refused.status_code, "has to be considered" in text_of(refused)) == (409, True)
    ended = await window.approve("second_officer", kind="disclosure", id=barred, act="approve", bar_ward_interest="yes", considered="yes")
    assert (ended.status_code, ended.headers["location"]) == (303, "/officer/approvals?done=turned-down&lang=en")
    shown = [(await window.counter.ask("officer", "GET", f"/disclosures/{id_}")).json() for id_ in (silent, barred)]
    assert [(each["state"], each.get("bars")) for each in shown] == [("requested", None), ("barred", ["ward_interest"])]
    done = await window.approve("second_officer", kind="disclosure", id=silent, act="approve", considered="yes")
    assert done.headers["location"] == "/officer/approvals?done=approved&lang=en"
    assert (await window.counter.ask("officer", "GET", f"/disclosures/{silent}")).json()["bars"] == []


async def test_nobody_is_asked_to_weigh_an_order(small_window: Window):
    kept, order = await small_window.counter.under_an_order()
    ordered = await small_window.counter.requested(kept.record, **by_law_of_orders(order))
    await small_window.sign_in("second_officer")
    page = await small_window.get("/officer/approvals")
    assert "What the law sets against it" not in text_of(page)
    done = await small_window.approve("second_officer", kind="disclosure", id=ordered, act="approve")
    assert done.headers["location"] == "/officer/approvals?done=approved&lang=en"


async def test_a_change_of_pack_is_weighed_and_approved_on_the_page_and_its_review_is_told(window: Window):
    world = window.world
    kept = await store(world)
    await grant(world, kept.record)
    text = packs.shipped("cooperative").own.replace('version = "2026.1"', 'version = "2026.2"', 1)
    text = text.replace(
        'action = "use"\nforms = ["written", "electronic"]\narticle = "6.1"', 'action = "use"\nforms = ["written"]\narticle = "6.1"'
    )
    told = await world.identity.packs.propose(await world.person("admin"), written(text))
    await window.sign_in("second_officer")
    page = await window.get("/officer/approvals")
    said = text_of(page)
    assert "Pack and version cooperative 2026.2" in said
    assert "Standing consents no longer enough 1" in said
    assert "Purposes changed" in said
    assert "Purposes shut" not in said
    assert told.proposal.sha256 in said
    assert "yearly review" not in said
    assert "Turn the pack down" in said
    id_ = str(uuid.UUID(told.proposal.id))
    wrong = await window.send("/officer/approvals", kind="pack", id=id_, act="approve", code="000000")
    assert wrong.status_code == 403
    done = await window.approve("second_officer", kind="pack", id=id_, act="approve")
    assert done.status_code == 303, done.text
    assert (await world.association.book()).association.pack_version == "2026.2"
    world.clock.forward(367 * 24 * 3600)
    await window.sign_in("second_officer")
    said = text_of(await window.get("/officer/approvals"))
    assert "The yearly review of the pack is due; an administrator proposes it anew, changed or not: 2027-01-01" in said
    assert "Nothing waits" in said


async def test_a_pack_is_turned_down_by_who_approves_and_the_one_in_force_stays(small_window: Window):
    world = small_window.world
    text = packs.shipped("cooperative").own.replace('version = "2026.1"', 'version = "2026.2"', 1)
    told = await world.identity.packs.propose(await world.person("admin"), written(text))
    id_ = str(uuid.UUID(told.proposal.id))
    await small_window.sign_in("second_officer")
    await small_window.get("/officer/approvals")
    wrong = await small_window.send("/officer/approvals", kind="pack", id=id_, act="turn-down", code="000000")
    assert wrong.status_code == 403
    other = await small_window.approve("second_officer", kind="pack", id=str(uuid.UUID(int=1)), act="turn-down")
    assert other.status_code == 409, "what is turned down is what was seen"
    done = await small_window.approve("second_officer", kind="pack", id=id_, act="turn-down")
    assert done.headers["location"] == "/officer/approvals?done=turned-down&lang=en"
    assert world.entries()[-1].kind == "pack.proposal-turned-down"
    assert "Nothing waits" in text_of(await small_window.get("/officer/approvals"))
    assert (await world.association.book()).association.pack_version != "2026.2"


async def test_the_paper_of_an_order_is_seen_from_the_page_and_then_it_is_approved(small_window: Window):
    paper = b"%PDF-1.7 an order"
    kept = await small_window.counter.agreed()
    await small_window.counter.recipient("court", kind="authority")
    body = small_window.counter.order(kept.record, document_sha256=hashlib.sha256(paper).hexdigest())
    order = str((await small_window.counter.ask("officer", "POST", "/orders", body)).json()["id"])
    assert (await small_window.counter.paper(order, paper)).status_code == 201
    await small_window.sign_in("second_officer")
    page = await small_window.get("/officer/approvals")
    assert f"/officer/approvals/paper?order={order}&amp;lang=en" in page.text
    early = await small_window.approve("second_officer", kind="order", id=order, act="approve")
    assert (early.status_code, "The paper was not seen" in text_of(early)) == (409, True)
    seen = await small_window.get("/officer/approvals/paper", order=order)
    assert (seen.status_code, seen.content, seen.headers["content-type"]) == (200, paper, "application/pdf")
    assert "sandbox" in seen.headers["content-security-policy"]
    done = await small_window.approve("second_officer", kind="order", id=order, act="approve")
    assert done.status_code == 303
