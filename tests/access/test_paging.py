"""Orders and disclosures of several pages: named, decided, approved as a whole, released page by page, taken up again where it ended."""

import asyncio
import json
import uuid
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest

from keys.packages import PackageRefused, read_package, require_standing
from tests.access.counter import FIELDS, Counter, by_law_of_orders, told
from tests.access.desk import put, rows_of, written
from tests.access.test_orders import decide
from tests.access.test_race import second_process
from tests.household import findings, none_disclosed_behind_a_withdrawal, store, withdraw
from vault.access import disclosures, extending, orders, paging, releasing
from vault.access.examine import examine
from vault.access.releasing import Releasing
from vault.access.shapes import Part
from vault.access.tables import order_record
from vault.access_log.entry import Entry
from vault.access_log.verify import snapshot, verify
from vault.errors import Gone, Unavailable
from vault.rulebook.asker import Errand, once_for
from vault.rulebook.tables import fact
from vault.web.call import parse_id
from vault.web.times import write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def people(counter: Counter, count: int) -> list[bytes]:
    """So many people in the vault: their records."""
    made = [
        await store(counter.world, {"full_name": f"منى {number}", "identity_note": "x", "mobile": "0551234567"}) for number in range(count)
    ]
    return [kept.record for kept in made]


async def settle(counter: Counter, path: str) -> httpx.Response:
    """The second officer approves what she was shown: as many pages as there are."""
    shown = (await counter.ask("second_officer", "GET", path)).json()
    return await counter.approve("second_officer", f"{path}/approval", pages=shown.get("pages", 1))


async def order_of(counter: Counter, pages: list[list[bytes]], **changes: Any) -> str:
    """An order for the court that names these records, a page each, approved by the second officer; its id."""
    order = await registered(counter, pages, **changes)
    done = await settle(counter, f"/orders/{order}")
    assert done.status_code == 200, done.text
    return order


async def registered(counter: Counter, pages: list[list[bytes]], **changes: Any) -> str:
    if "court" not in (await counter.world.association.refresh()).recipients:
        await counter.recipient("court", kind="authority")
    made = await counter.ask("officer", "POST", "/orders", counter.order(*pages[0], **changes))
    assert made.status_code == 201, made.text
    order = str(made.json()["id"])
    for page in pages[1:]:
        more = await counter.ask("officer", "POST", f"/orders/{order}/records", {"records": list(map(written, page))})
        assert more.status_code == 201, more.text
    return order


async def asked_of(counter: Counter, order: str, pages: list[list[bytes]], **changes: Any) -> str:
    """A disclosure on the order of these records, a page each; its id."""
    body = counter.disclosure(*pages[0], **by_law_of_orders(order, fields=["full_name", "mobile"], **changes))
    made = await counter.ask("officer", "POST", "/disclosures", body)
    assert made.status_code == 201, made.text
    id_ = str(made.json()["id"])
    for page in pages[1:]:
        more = await counter.ask("officer", "POST", f"/disclosures/{id_}/records", {"records": list(map(written, page))})
        assert more.status_code == 201, more.text
    return id_


async def released(counter: Counter, pages: list[list[bytes]], **changes: Any) -> tuple[str, str]:
    """An approved disclosure of these pages on an order of the same pages: its id and the order's."""
    order = await order_of(counter, pages, **changes)
    id_ = await asked_of(counter, order, pages)
    done = await settle(counter, f"/disclosures/{id_}")
    assert done.status_code == 200, done.text
    return id_, order


async def fetch(counter: Counter, id_: str, page: int) -> Any:
    counter.world.clock.forward(2)
    return await counter.ask("officer", "GET", f"/disclosures/{id_}/package?page={page}")


def entries(counter: Counter, kind: str) -> list[Entry]:
    return [entry for entry in counter.world.entries() if entry.kind == kind]


def wrong(counter: Counter) -> list[str]:
    """What the examiners of `amanah doctor` find."""
    with snapshot(counter.world.database, counter.world.association.id) as connection:
        return [*findings(counter.world), *examine(connection, counter.world.association.cabinet, counter.world.association.id)]


async def erase(counter: Counter, record: bytes, *, only_lock: bool = False) -> None:
    asked = await counter.ask("officer", "POST", f"/records/{written(record)}/erasure", {"reason": "طلبت ذلك", "requested_by": "self"})
    assert asked.status_code == 202, asked.text
    if not only_lock:
        done = await counter.approve("second_officer", f"/erasures/{asked.json()['id']}/approval")
        assert done.status_code == 200, done.text


async def test_an_order_names_people_on_every_page_and_each_page_is_an_entry_of_them(counter: Counter):
    one, two, three, other = await people(counter, 4)
    order = await registered(counter, [[one], [two], [three]])
    extended = entries(counter, "order.extended")
    assert [[about.record for about in entry.about] for entry in extended] == [[two], [three]]
    assert {(entry.order, entry.fields, entry.recipient, entry.article) for entry in extended} == {
        (parse_id(order).hex(), FIELDS, "court", "cooperative:4")
    }
    for number, record in ((1, one), (2, two), (3, three)):
        shown = (await counter.ask("second_officer", "GET", f"/orders/{order}?page={number}")).json()
        assert (shown["records"], shown["page"], shown["pages"], shown["people"]) == ([written(record)], number, 3, 3)
    beyond = await counter.ask("second_officer", "GET", f"/orders/{order}?page=4")
    assert (told(beyond), beyond.json()["errors"]) == ((422, "invalid"), [{"field": "page", "code": "out-of-range"}])
    assert await decide(counter, three) == ("deny", "ORDER_UNVERIFIED", "none")
    for seen in ({}, {"pages": 2}):
        few = await counter.approve("second_officer", f"/orders/{order}/approval", **seen)
        assert told(few) == (409, "pages-unseen"), "what grew since she was shown it is not approved"
    await settle(counter, f"/orders/{order}")
    for record in (one, two, three):
        assert await decide(counter, record) == ("permit", "ORDER_OK", "judicial_order")
        report = (await counter.ask("officer", "GET", f"/records/{written(record)}/access-report")).json()["items"]
        assert {"order.registered", "order.extended"} & {item["kind"] for item in report}
    assert await decide(counter, other) == ("deny", "NO_ORDER", "none")
    late = await counter.ask("officer", "POST", f"/orders/{order}/records", {"records": [written(other)]})
    assert told(late) == (409, "conflict"), "what the second person approved is the whole"
    assert wrong(counter) == []


async def test_an_order_names_several_records_of_a_person_on_one_page(counter: Counter):
    world = counter.world
    kept, more, other = [await store(world) for _ in range(3)]
    donors = [(await store(world, {"full_name": "فاطمة"}, type_="donor", known=one.subject)).record for one in (kept, more)]
    await counter.recipient("court", kind="authority")
    made = await counter.ask("officer", "POST", "/orders", counter.order(kept.record, other.record, donors[0]))
    assert made.status_code == 201, made.text
    path = f"/orders/{made.json()['id']}"
    added = await counter.ask("officer", "POST", f"{path}/records", {"records": [written(more.record), written(donors[1])]})
    assert added.status_code == 201, added.text
    registered, extended = entries(counter, "order.registered"), entries(counter, "order.extended")
    assert [[about.record for about in entry.about] for entry in registered] == [[kept.record, other.record], [donors[0]]]
    assert [[about.record for about in entry.about] for entry in extended] == [[more.record], [donors[1]]]
    assert [len(entry.facts) for entry in registered + extended] == [1, 0, 2, 0]
    await settle(counter, path)
    assert await decide(counter, donors[1], fields=["full_name"]) == ("permit", "ORDER_OK", "judicial_order")
    assert wrong(counter) == []


async def test_what_is_no_page_of_an_order_is_refused(counter: Counter, monkeypatch: pytest.MonkeyPatch):
    one, two, three = await people(counter, 3)
    order = await registered(counter, [[one], [two]])
    path = f"/orders/{order}/records"

    async def add(*records: str, who: str = "officer", **headers: str) -> Any:
        return await counter.ask(who, "POST", path, {"records": list(records)}, **headers)

    again = await add(written(three), written(two), written(one))
    assert again.json()["errors"] == [{"field": f"records.{number}", "code": "out-of-range"} for number in (1, 2)]
    assert (await add(str(uuid.uuid4()))).json()["errors"] == [{"field": "records.0", "code": "unknown-record"}]
    for records in ([], [written(three)] * 2, [str(uuid.uuid4()) for _ in range(501)]):
        assert (await add(*records)).json()["errors"] == [{"field": "records", "code": "out-of-range"}]
    assert told(await add(written(three), who="second_officer")) == (403, "out-of-scope"), "not by who will approve it"
    assert told(await counter.ask("officer", "POST", f"/orders/{uuid.uuid4()}/records", {"records": [written(three)]})) == (
        404,
        "not-found",
    )
    monkeypatch.setattr(extending, "MOST_PAGES", 2)
    assert (await add(written(three))).json()["errors"] == [{"field": "records", "code": "out-of-range"}]
    monkeypatch.undo()
    await counter.ask("officer", "POST", f"/orders/{order}/revocation")
    assert told(await add(written(three))) == (409, "order-revoked")
    [refusal] = [entry for entry in entries(counter, "order.extended") if entry.outcome == "refuse"]
    assert (refusal.reason, refusal.article, refusal.about) == ("OUT_OF_SCOPE", "cooperative:1", ())
    assert wrong(counter) == []


async def test_a_page_that_is_sent_again_is_one_page(counter: Counter):
    one, two, three = await people(counter, 3)
    order = await registered(counter, [[one]])
    for path, extra in ((f"/orders/{order}/records", {"people": 2}), ("", {})):
        where = path or f"/disclosures/{await asked_of(counter, await approved(counter, order), [[one]])}/records"
        once = {"Idempotency-Key": uuid.uuid4().hex}
        answers = [await counter.ask("officer", "POST", where, {"records": [written(two)]}, **once) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert {**answers[0].json(), "page": 2, **extra} == answers[0].json()
        other = await counter.ask("officer", "POST", where, {"records": [written(three)]}, **once)
        assert told(other) == (409, "idempotency-mismatch")


async def test_a_repeat_that_names_another_whole_finds_its_page_gone(small_counter: Counter):
    one, two = await people(small_counter, 2)
    first, second = [parse_id(await registered(small_counter, [[one]])) for _ in range(2)]
    job, run = Errand(await small_counter.world.person("officer"), "x"), small_counter.world.association.run
    once = once_for(job.asker, route="test", key="k" * 16, body={})
    await run(lambda deed: extending.extend_order(deed, job, first, [two], once))
    with pytest.raises(Gone):
        await run(lambda deed: extending.extend_order(deed, job, second, [two], once))


async def approved(counter: Counter, order: str) -> str:
    done = await settle(counter, f"/orders/{order}")
    assert done.status_code == 200, done.text
    return order


async def test_everybody_on_every_page_reaches_the_court_and_the_report_of_each(counter: Counter):
    pages = [[*await people(counter, 2)], [*await people(counter, 2)], [*await people(counter, 1)]]
    id_, order = await released(counter, pages, uses=1)
    plans = set()
    for number in (2, 3, 1):
        answer = await fetch(counter, id_, number)
        content, manifest = json.loads(counter.opened(answer)), read_package(answer.content).manifest
        assert [one["id"] for one in content["records"]] == list(map(written, pages[number - 1]))
        assert (content["page"], content["serial"], content["left_out"]) == ({"number": number, "of": 3}, number, [])
        assert (manifest.serial, manifest.page, manifest.pages, len(manifest.entries)) == (number, number, 3, len(pages[number - 1]))
        plans.add(manifest.plan)
        require_standing(read_package(answer.content), counter.world.clock.now // 1_000_000, counter.world.association.cabinet.signer.vkey)
        for language, says in (("ar", f"الجزء {number} من 3"), ("en", f"Page {number} of 3")):
            assert says in counter.files(answer)[f"page.{language}.html"].decode()
    assert len(plans) == 1
    for record in (record for page in pages for record in page):
        report = (await counter.ask("officer", "GET", f"/records/{written(record)}/access-report")).json()["items"]
        assert [item["basis"] for item in report if item["kind"] == "disclose"] == ["judicial_order"]
    shown = (await counter.ask("officer", "GET", f"/orders/{order}")).json()
    assert (shown["executed"], shown["state"]) == (1, "spent"), "all pages are one execution"
    assert [entry.count for entry in entries(counter, "disclosure.released")] == [2, 1, 2]
    register = (await counter.ask("officer", "GET", f"/disclosures/{id_}")).json()
    assert (register["packages"], register["people"], register["pages"]) == (3, 5, 3)
    note = await counter.world.association.checkpoint()
    with snapshot(counter.world.database, counter.world.association.id) as connection:
        assert not verify(connection, counter.world.association.id, "probe", counter.world.association.cabinet.signer.vkey, note, deep=True)
    assert wrong(counter) == []


async def test_a_page_fetched_twice_has_one_number_and_two_entries_and_uses_nothing_up(counter: Counter):
    pages = [await people(counter, 1) for _ in range(2)]
    id_, order = await released(counter, pages, uses=1)
    one, two, again = [await fetch(counter, id_, number) for number in (1, 2, 1)]
    assert [read_package(answer.content).manifest.serial for answer in (one, two, again)] == [1, 2, 1]
    assert one.content != again.content
    assert [entry.about[0].record for entry in entries(counter, "disclose")] == [pages[0][0], pages[1][0], pages[0][0]]
    assert (await counter.ask("officer", "GET", f"/orders/{order}")).json()["executed"] == 1
    left = (await counter.ask("officer", "GET", f"/disclosures/{id_}?page=1")).json()["left"]
    assert (left["times"], left["left_out"]) == (2, [])
    counter.world.clock.forward(1)
    other = await asked_of(counter, order, [pages[0]])
    assert told(await counter.approve("second_officer", f"/disclosures/{other}/approval")) == (409, "nothing-granted"), "the order is spent"


async def test_who_may_not_be_given_any_more_is_left_out_of_her_page_and_named(counter: Counter):
    page = await people(counter, 4)
    rest = await people(counter, 1)
    id_, _ = await released(counter, [rest, page])
    assert (await fetch(counter, id_, 1)).status_code == 200
    await erase(counter, page[0], only_lock=True)
    await erase(counter, page[2])
    answer = await fetch(counter, id_, 2)
    content = json.loads(counter.opened(answer))
    assert [one["id"] for one in content["records"]] == [written(page[1]), written(page[3])]
    assert content["left_out"] == [written(page[0]), written(page[2])]
    assert len(read_package(answer.content).manifest.entries) == 2
    assert written(page[0]) in counter.files(answer)["page.ar.html"].decode()
    shown = (await counter.ask("officer", "GET", f"/disclosures/{id_}?page=2")).json()
    assert [(one["record"], one["code"]) for one in shown["left"]["left_out"]] == [
        (written(page[0]), "erasure-pending"),
        (written(page[2]), "gone"),
    ]
    assert [entry.reason for entry in entries(counter, "disclose") if entry.outcome == "refuse"] == ["ERASURE_PENDING"]
    letter = (await counter.ask("officer", "GET", f"/disclosures/{id_}/letter?lang=en")).text
    assert '<td data-label="Records">3</td>' in letter
    assert "Erasure" in letter
    assert wrong(counter) == []


async def test_a_page_of_which_nothing_stands_is_stale_and_the_next_one_goes_on(counter: Counter):
    pages = [await people(counter, 1) for _ in range(3)]
    id_, _ = await released(counter, pages)
    await erase(counter, pages[1][0], only_lock=True)
    assert [(await fetch(counter, id_, number)).status_code for number in (1, 2, 3)] == [200, 409, 200]
    assert told(await fetch(counter, id_, 4)) == (422, "invalid")
    received = {"received_at": write_time(counter.world.clock.now)}
    for serial, status in ((1, 200), (2, 422), (3, 200), (4, 422)):
        answer = await counter.ask("officer", "POST", f"/disclosures/{id_}/receipts", {"serial": serial, **received})
        assert answer.status_code == status, (serial, answer.text)


async def test_an_order_that_is_revoked_between_two_pages_ends_the_rest(counter: Counter):
    pages = [await people(counter, 1) for _ in range(3)]
    id_, order = await released(counter, pages)
    assert (await fetch(counter, id_, 1)).status_code == 200
    await counter.ask("officer", "POST", f"/orders/{order}/revocation")
    counter.world.clock.forward(1)
    assert told(await fetch(counter, id_, 2)) == (409, "decision-stale")
    await counter.ask("second_officer", "POST", f"/disclosures/{id_}/revocation")
    assert told(await fetch(counter, id_, 3)) == (409, "disclosure-revoked")


async def test_a_page_is_decided_field_by_field_and_what_the_order_does_not_name_is_refused(counter: Counter):
    one, two, outside, late = await people(counter, 4)
    order = await order_of(counter, [[one], [two]])
    body = counter.disclosure(outside, **by_law_of_orders(order, fields=["full_name", "email"]))
    id_ = (await counter.ask("officer", "POST", "/disclosures", body)).json()["id"]
    path = f"/disclosures/{id_}"
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "nothing-granted")
    added = await counter.ask("officer", "POST", f"{path}/records", {"records": [written(two), written(one)]})
    why = {"field": "email", "code": "order-scope", "article": "cooperative:4"}
    assert added.json() == {
        "id": id_,
        "state": "requested",
        "page": 2,
        "granted": [{"record": written(record), "fields": ["full_name"]} for record in (two, one)],
        "refused": [{"record": written(record), **why} for record in (two, one)],
    }
    [entry] = entries(counter, "disclosure.extended")
    assert (entry.count, entry.order, [one.kind for one in entry.facts]) == (2, parse_id(order).hex(), ["disclosure_page", "disclosure"])
    again = await counter.ask("officer", "POST", f"{path}/records", {"records": [written(late), written(outside)]})
    assert again.json()["errors"] == [{"field": "records.1", "code": "out-of-range"}]
    foreign = await counter.ask("second_officer", "POST", f"{path}/records", {"records": [written(late)]})
    assert told(foreign) == (403, "out-of-scope"), "not by who will approve it"
    waiting = await counter.ask("second_officer", "GET", "/disclosures/" + id_)
    assert (waiting.json()["people"], waiting.json()["granted"]) == (2, [])
    assert told(await counter.approve("second_officer", f"{path}/approval")) == (409, "pages-unseen")
    assert (await settle(counter, path)).status_code == 200
    assert told(await counter.ask("officer", "POST", f"{path}/records", {"records": [written(late)]})) == (409, "conflict")
    assert told(await fetch(counter, id_, 1)) == (409, "nothing-granted")
    assert (await fetch(counter, id_, 2)).status_code == 200
    letter = (await counter.ask("officer", "GET", f"{path}/letter?lang=en")).text
    assert "Outside the order" in letter
    await counter.ask("second_officer", "POST", f"{path}/revocation")
    assert told(await counter.ask("officer", "POST", f"{path}/records", {"records": [written(late)]})) == (409, "disclosure-revoked")


async def consented(counter: Counter, pages: list[int]) -> tuple[str, list[list[tuple[bytes, bytes]]]]:
    """A disclosure to the partner of so many people a page, each of whom agreed in writing; its id, and record and consent of each."""
    kept = [await people(counter, count) for count in pages]
    await counter.recipient()
    counter.world.clock.forward(1)
    agreed = [[(record, await counter.shared(record)) for record in page] for page in kept]
    id_ = await counter.requested(*kept[0], fields=["full_name", "mobile"])
    for page in kept[1:]:
        more = await counter.ask("officer", "POST", f"/disclosures/{id_}/records", {"records": list(map(written, page))})
        assert more.status_code == 201, more.text
        assert more.json()["refused"] == []
    return id_, agreed


async def test_whoever_withdraws_between_two_pages_is_in_none_that_leaves_after(counter: Counter):
    id_, agreed = await consented(counter, [2, 3, 1])
    path, everybody = f"/disclosures/{id_}", [consent for page in agreed for _, consent in page]
    assert told(await counter.approve("second_officer", f"{path}/approval", bars=[])) == (409, "pages-unseen")
    assert told(await counter.approve("second_officer", f"{path}/approval", pages=3)) == (409, "bars-unsaid")
    done = await counter.approve("second_officer", f"{path}/approval", pages=3, bars=[])
    assert done.json()["state"] == "approved"
    assert (await counter.ask("officer", "GET", path)).json()["bars"] == []

    async def given(number: int) -> list[str]:
        """Whose data a page gives; of nobody else anything stands in it, and each consent is named by its entry."""
        before = len(entries(counter, "disclose"))
        answer = await fetch(counter, id_, number)
        assert answer.status_code == 200, answer.text
        content, manifest = json.loads(counter.opened(answer)), read_package(answer.content).manifest
        assert (content["page"], content["left_out"]) == ({"number": number, "of": 3}, [])
        assert (manifest.basis, manifest.order, len(manifest.entries)) == ("written_consent", "", len(content["records"]))
        named = [entry.consents for entry in entries(counter, "disclose")[before:] if entry.outcome == "allow"]
        assert all(len(each) == 1 and bytes.fromhex(each[0]) in everybody for each in named)
        return [one["id"] for one in content["records"]]

    names = [[written(record) for record, _ in page] for page in agreed]
    assert await given(1) == names[0]
    await withdraw(counter.world, agreed[1][1][1])
    assert await given(2) == [names[1][0], names[1][2]], "she withdrew in the second before"
    await withdraw(counter.world, agreed[0][0][1])
    assert await given(1) == [names[0][1]], "fetched again it is weighed again"
    await withdraw(counter.world, agreed[2][0][1])
    assert told(await fetch(counter, id_, 3)) == (409, "decision-stale")
    left = (await counter.ask("officer", "GET", f"{path}?page=2")).json()["left"]["left_out"]
    assert [(one["record"], one["code"]) for one in left] == [(names[1][1], "consent-withdrawn")]
    refused = [entry.reason for entry in entries(counter, "disclose") if entry.outcome == "refuse"]
    assert refused == [*["CONSENT_WITHDRAWN"] * 3, "DECISION_STALE"]
    assert wrong(counter) == []


async def test_a_page_says_nothing_to_the_partner_of_whoever_withdrew(counter: Counter):
    id_, agreed = await consented(counter, [1, 2])
    [(few, _)] = agreed[0]
    done = await counter.approve("second_officer", f"/disclosures/{id_}/approval", pages=2, bars=[])
    assert done.status_code == 200, done.text
    await withdraw(counter.world, agreed[1][1][1])
    plans = {read_package((await fetch(counter, id_, number)).content).manifest.plan for number in (1, 2)}
    assert len(plans) == 1
    # Who knows her record from an earlier package tries whether she was to be on this page.
    plan = extending.PLAN_BEGINS
    for page in ([few], [record for record, _ in agreed[1]]):
        plan = paging.plan_of(plan, [Part(record=record.hex(), fields=("full_name", "mobile")) for record in page])
    assert plan not in plans


async def test_a_page_names_no_field_that_only_somebody_left_out_gave(counter: Counter):
    one, two, three = await people(counter, 3)
    await counter.recipient()
    counter.world.clock.forward(1)
    for record in (one, two):
        await counter.shared(record, fields=("full_name",))
    more = await counter.shared(three, fields=("full_name", "mobile"))
    id_ = await counter.requested(one, fields=["full_name", "mobile"])
    added = await counter.ask("officer", "POST", f"/disclosures/{id_}/records", {"records": [written(two), written(three)]})
    assert added.status_code == 201, added.text
    done = await counter.approve("second_officer", f"/disclosures/{id_}/approval", pages=2, bars=[])
    assert done.status_code == 200, done.text
    await withdraw(counter.world, more)
    answer = await fetch(counter, id_, 2)
    assert read_package(answer.content).manifest.fields == ("full_name",)
    assert "mobile" not in str({name: content.decode() for name, content in counter.files(answer).items()})


@pytest.mark.slow
async def test_no_page_holds_anybody_behind_a_withdrawal_whichever_process_made_it(counter: Counter):
    id_, agreed = await consented(counter, [1, 12])
    done = await counter.approve("second_officer", f"/disclosures/{id_}/approval", pages=2, bars=[])
    assert done.status_code == 200, done.text
    world, given = counter.world, list[int]()
    with second_process(world, await world.person("officer")) as second:

        async def fetching() -> None:
            while not given or given[-1] > 2:
                await asyncio.sleep(0.02)  # so that the other process comes to the head of the log as well
                with suppress(Unavailable):  # put off: another process was at the head of the log
                    out = await second.association.run(lambda deed: releasing.release(deed, second.job, parse_id(id_), 2))
                    assert isinstance(out, Releasing)
                    assert len(out.values()) == len(out.judged)
                    given.append(len(out.judged))

        async def withdrawing() -> None:
            left = [consent for _, consent in agreed[1][:10]]
            while left:
                await asyncio.sleep(0.01)
                with suppress(Unavailable):  # as above; who withdraws says it again
                    if 10 - len(left) <= 2 * len(given):
                        await withdraw(world, left[0])
                        left.pop(0)

        await asyncio.gather(fetching(), withdrawing())
    assert given == sorted(given, reverse=True)
    assert len({*given}) > 2, "in the midst of the withdrawals"
    assert len(none_disclosed_behind_a_withdrawal(world)) == 10


async def test_a_bar_ends_all_pages_and_who_did_not_agree_is_refused_on_hers(small_counter: Counter):
    id_, _ = await consented(small_counter, [1, 1])
    [silent] = await people(small_counter, 1)
    more = await small_counter.ask("officer", "POST", f"/disclosures/{id_}/records", {"records": [written(silent)]})
    assert {one["code"] for one in more.json()["refused"]} == {"no-consent"}
    ended = await small_counter.approve("second_officer", f"/disclosures/{id_}/approval", pages=3, bars=["ward_interest"])
    assert ended.json()["state"] == "barred"
    assert told(await fetch(small_counter, id_, 2)) == (409, "disclosure-revoked")


async def test_what_is_asked_of_her_on_a_later_page_keeps_her_data_from_being_destroyed_alone(small_counter: Counter):
    one, two = await people(small_counter, 2)
    order = await order_of(small_counter, [[one], [two]])

    async def narrower() -> tuple[int, str]:
        body = {"reason": "طلبت ذلك", "requested_by": "self", "classes": ["contact"]}
        return told(await small_counter.ask("officer", "POST", f"/records/{written(two)}/erasure", body))

    assert await narrower() == (409, "classes-under-order")
    await asked_of(small_counter, order, [[one], [two]])
    assert await narrower() == (409, "classes-under-disclosure")


@pytest.mark.parametrize("kind", ["order_page", "disclosure_page", "disclosure_page_out"])
async def test_a_page_taken_out_or_put_back_is_an_alarm_and_nothing_leaves(counter: Counter, kind: str):
    pages = [await people(counter, 1) for _ in range(2)]
    id_, _ = await released(counter, pages)
    assert (await fetch(counter, id_, 2)).status_code == 200
    before = rows_of(counter.world, fact)
    put(counter.world, fact, [row for row in before if row["kind"] != kind])
    assert told(await fetch(counter, id_, 2)) == (503, "integrity")
    assert wrong(counter)
    put(counter.world, fact, before)
    assert (await fetch(counter, id_, 2)).status_code == 200


async def test_a_page_that_the_log_never_heard_of_is_an_integrity_failure(small_counter: Counter):
    one, two = await people(small_counter, 2)
    order = await order_of(small_counter, [[one], [two]])
    id_ = await asked_of(small_counter, order, [[one], [two]])

    def ask(deed: Any) -> None:
        found = orders.of(deed, parse_id(order))
        disclosed = disclosures.of(deed, parse_id(id_))
        longer = msgspec.structs.replace
        with pytest.raises(Unavailable, match="integrity"):
            paging.order_page(deed, longer(found, pages=3), 3)
        assert disclosed.further is not None
        with pytest.raises(Unavailable, match="integrity"):
            paging.disclosure_page(deed, longer(disclosed, further=longer(disclosed.further, pages=3)), 3)

    await small_counter.world.association.run(ask)


async def test_a_row_of_the_index_makes_no_page(counter: Counter):
    one, two, other = await people(counter, 3)
    await order_of(counter, [[one], [two]])
    rows = rows_of(counter.world, order_record)
    put(counter.world, order_record, [*rows, {**rows[0], "record": other}])
    assert await decide(counter, other) == ("deny", "NO_ORDER", "none")
    assert [line for line in wrong(counter) if "no order says so" in line]
    put(counter.world, order_record, [row for row in rows if row["record"] != two])
    assert await decide(counter, two) == ("deny", "NO_ORDER", "none")
    assert [line for line in wrong(counter) if "missing" in line]


async def test_a_page_opens_with_its_own_key_alone(small_counter: Counter):
    pages = [await people(small_counter, 1) for _ in range(2)]
    id_, _ = await released(small_counter, pages)
    content = (await fetch(small_counter, id_, 1)).content
    assert "منى".encode() in small_counter.key.opened(read_package(content))
    assert "منى".encode() not in content
    other = read_package(content.replace(b"page 1/2", b"page 2/2"))
    with pytest.raises(PackageRefused, match="package-altered"):
        small_counter.key.opened(other)
    with pytest.raises(PackageRefused, match="package-unsigned"):
        require_standing(other, 0, small_counter.world.association.cabinet.signer.vkey)
