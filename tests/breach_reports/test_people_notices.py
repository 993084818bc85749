"""Notices to the people a breach touches, over HTTP and over a real SMTP server on the loopback (reference 3.13, 20)."""

import uuid
from typing import Any

import pytest

from tests.access.desk import put, rows_of
from tests.breach_reports.desk import Desk
from tests.breach_reports.incident_desk import done, hours, incident, now, opened, refused
from tests.breach_reports.notices import (
    NAMES,
    WORDING,
    Box,
    approved,
    approving,
    letter,
    noticed,
    notifier,
    person,
    ruled_out,
    serving,
    states,
)
from vault.access_log.verify import snapshot
from vault.breach_reports import letters
from vault.breach_reports.incident_tables import incident_part
from vault.breach_reports.letters import FIRST_PAUSE, LEASE, MOST_ATTEMPTS, outbox
from vault.breach_reports.letters_examine import unsent
from vault.rulebook.tables import fact

pytestmark = pytest.mark.asyncio(loop_scope="function")
STATE: tuple[int, str, list[Any]] = (409, "incident-state", [])


@pytest.mark.parametrize("part", ["description", "risks", "contact", "advice"])
async def test_a_notice_that_lacks_a_part_or_its_arabic_is_refused(desk: Desk, part: str):
    id_ = await opened(desk)
    without = {name: words for name, words in WORDING.items() if name != part}
    for body in (without, {**WORDING, part: {"en": "in English only"}}, {**WORDING, part: {"ar": " \n"}}):
        assert await refused(desk, f"/{id_}/people-notices", body) == (422, "invalid", [(f"{part}.ar", "missing")])
    assert (await done(desk, f"/{id_}/people-notices", method="GET"))["items"] == []


async def test_each_person_has_one_letter_with_her_result_and_only_what_failed_is_sent_again(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second, third = [await person(world, number) for number in (1, 2, 3)]
    number = await approved(desk, id_, first, second, third, third)
    box.answers = {"someone2@example.org": "550 no such mailbox"}
    sender = notifier(world, free_port)
    with serving(box, free_port):
        assert await sender.round() == 3
        assert await sender.round() == 0
        assert await states(desk, id_, number) == {first: "sent", second: "failed", third: "sent"}
        assert (await letter(desk, id_, number, second))["reason"] == "REFUSED"
        box.answers = {}
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 1
        await sender.round()
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 0
        await sender.round()
    assert sorted(box.to) == [f"someone{number}@example.org" for number in (1, 2, 3)]
    assert set((await states(desk, id_, number)).values()) == {"sent"}
    said = box.letters[0].get_content()
    for words in WORDING.values():
        assert words["ar"] in said
    assert NAMES["ar"] in said
    assert "الشمري" not in box.letters[0].as_string(), "nothing of her stands in the letter"
    assert desk.findings() == []


async def test_every_address_opens_after_an_entry_for_the_purpose_and_lies_nowhere(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    record = await person(world, 1)
    await approved(desk, id_, record)
    before = len(world.entries())
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert box.to == ["someone1@example.org"]
    entries = world.entries()[before:]
    assert {each.actor for each in entries} == {"system"}
    assert [each.kind for each in entries] == ["record.read", "incident.letter-addressed", "incident.read", "incident.letter-sent"]
    look = entries[0]
    assert (look.purpose, look.basis, look.law, look.fields, look.about[0].record) == (
        "breach_notice",
        "law",
        "sa-pdpl:20",
        ("email",),
        uuid.UUID(record).bytes,
    )
    for table in (outbox, fact):
        held = [value if isinstance(value, bytes) else str(value).encode() for row in rows_of(world, table) for value in row.values()]
        assert not [value for value in held if b"someone1" in value]


async def test_nothing_leaves_before_a_second_person_approved_these_words_for_so_many(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await noticed(desk, id_, first)
    place = f"/{id_}/people-notices/{number}"
    sender = notifier(world, free_port)
    with serving(box, free_port):
        assert await sender.round() == 0
        answer = await approving(desk, id_, number, 1, "officer")
        assert (answer.status_code, answer.json()["code"]) == (403, "same-person")
        answer = await approving(desk, id_, number, 2)
        assert (answer.status_code, answer.json()["code"]) == (409, "incident-state"), "she was told another number"
        with world.database.connect() as connection, connection.begin():
            connection.execute(outbox.update().values(due=0))
        assert await sender.round() == 0, "a row that says it is due sends nothing"
        assert (await approving(desk, id_, number, 1)).status_code == 200
        await sender.round()
        assert box.to == ["someone1@example.org"]
        assert (await approving(desk, id_, number, 1)).status_code == 409, "nobody is new on the list"
        told = await done(desk, f"{place}/people", {"records": [first, second]})
        assert (told["people"], told["waiting"]) == (2, 1)
        assert await sender.round() == 0
        assert (await approving(desk, id_, number, 2)).status_code == 200
        await sender.round()
    assert box.to == ["someone1@example.org", "someone2@example.org"]
    approvals = (await done(desk, f"/{id_}/people-notices", method="GET"))["items"][0]["approvals"]
    assert [each["people"] for each in approvals] == [1, 2]
    assert (await done(desk, place, method="GET"))["advice"]["ar"] == WORDING["advice"]["ar"]


async def test_who_was_put_on_the_list_by_mistake_is_taken_off_and_may_come_back(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await noticed(desk, id_, first, second)
    wrong = await letter(desk, id_, number, second)
    removed = await done(desk, f"/{id_}/letters/{wrong['id']}/removal")
    assert removed["state"] == "removed"
    assert await refused(desk, f"/{id_}/letters/{wrong['id']}/removal") == STATE
    assert (await approving(desk, id_, number, 2)).status_code == 409
    assert (await approving(desk, id_, number, 1)).status_code == 200
    with serving(box, free_port):
        await notifier(world, free_port).round()
        assert box.to == ["someone1@example.org"]
        await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [second]})
        assert (await approving(desk, id_, number, 2)).status_code == 200
        await notifier(world, free_port).round()
    assert box.to == ["someone1@example.org", "someone2@example.org"]


async def test_what_no_server_takes_is_tried_again_later_and_fails_after_eight_times(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = [await person(world, number) for number in (1, 2)]
    number = await approved(desk, id_, first, second)
    sender = notifier(world, free_port)
    assert await sender.round() == 0, "there is no server, and the round ends with the first"
    told = await done(desk, f"/{id_}/people-notices/{number}/letters", method="GET")
    assert sorted((each["state"], each["attempts"]) for each in told["items"]) == [("listed", 0), ("listed", 1)]
    await sender.round()
    assert await sender.round() == 0
    box.answers = {"someone1@example.org": "450 come again", "someone2@example.org": "452 come again"}
    with serving(box, free_port):
        for _ in range(2 * MOST_ATTEMPTS):
            world.clock.now += letters.pause(10)
            await sender.round()
        assert set((await states(desk, id_, number)).values()) == {"failed"}
        assert {(await letter(desk, id_, number, each))["reason"] for each in (first, second)} == {"UNREACHABLE"}
        box.answers = {"someone1@example.org": "554 we take no such letters"}
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 2
        await sender.round()
    assert await states(desk, id_, number) == {first: "failed", second: "sent"}
    assert [letters.pause(attempts) // FIRST_PAUSE for attempts in (1, 2, 3, 7, 11, 30)] == [1, 2, 4, 64, 360, 360]


async def test_where_no_word_came_back_the_letter_is_doubtful_and_goes_again_by_somebodys_word_only(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    record = await person(world, 1)
    number = await approved(desk, id_, record)
    box.drops = True
    sender = notifier(world, free_port)
    with serving(box, free_port):
        await sender.round()
        assert await states(desk, id_, number) == {record: "doubtful"}
        world.clock.now += 10 * LEASE
        await sender.round()
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 0
        assert len(box.letters) == 1
        box.drops = False
        assert (await done(desk, f"/{id_}/people-notices/{number}/again", {"doubtful": True}))["letters"] == 1
        await sender.round()
    assert len(box.letters) == 2
    assert await states(desk, id_, number) == {record: "sent"}


async def test_who_has_no_mail_address_is_on_the_list_of_letters_to_print_and_the_officer_notes_what_came_of_it(desk: Desk, free_port: int):
    world, id_ = desk.world, await opened(desk)
    record = await person(world, 1, email=None, national_address={"street": "شارع العليا", "city": "الرياض"})
    number = await approved(desk, id_, record)
    await notifier(world, free_port).round()
    told = await letter(desk, id_, number, record)
    assert (told["state"], told["reason"], told["to"]) == ("post", "NO_EMAIL", "self")
    before = len(world.entries())
    page = await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page?lang=ar")
    assert page.status_code == 200, page.text
    for said in ("فاطمة بنت خالد الشمري", "شارع العليا، الرياض", WORDING["risks"]["ar"], 'dir="rtl"'):
        assert said in page.text
    looked = world.entries()[before:]
    assert [(each.kind, each.fields) for each in looked] == [
        ("record.read", ("full_name", "national_address")),
        ("incident.read", ("people_notice",)),
    ]
    english = await incident(desk, "officer", "GET", f"/{id_}/letters/{told['id']}/page?lang=en")
    assert WORDING["risks"]["ar"] in english.text, "the words that were approved, where nobody wrote English"
    assert (await done(desk, f"/{id_}/letters/{told['id']}/outcome", {"result": "returned"}))["state"] == "returned"
    noted = await done(desk, f"/{id_}/letters/{told['id']}/outcome", {"result": "delivered"})
    assert (noted["state"], noted["noted_by"][:6]) == ("delivered", "staff:")


async def test_a_letter_that_left_by_mail_is_neither_printed_nor_noted_nor_taken_off(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    record = await person(world, 1)
    number = await approved(desk, id_, record)
    with serving(box, free_port):
        await notifier(world, free_port).round()
    one = f"/{id_}/letters/{(await letter(desk, id_, number, record))['id']}"
    assert await refused(desk, f"{one}/page", method="GET") == STATE
    assert await refused(desk, f"{one}/outcome", {"result": "delivered"}) == STATE
    assert await refused(desk, f"{one}/removal") == STATE
    other = await opened(desk)
    assert (await incident(desk, "officer", "POST", one.replace(id_, other) + "/removal")).status_code == 404


async def test_a_list_takes_records_that_are_there_and_says_which_is_not(desk: Desk):
    id_ = await opened(desk)
    number = await noticed(desk, id_)
    record, place = await person(desk.world, 1), f"/{id_}/people-notices/{number}/people"
    for wrong in (str(uuid.uuid4()), "nobody"):
        answer = await refused(desk, place, {"records": [record, wrong]})
        assert answer == (422, "invalid", [("records[1]", "unknown-record")])
    assert (await refused(desk, place, {"records": []}))[0] == 422
    assert (await refused(desk, place, {"records": [record] * 201}))[0] == 422
    assert (await done(desk, f"/{id_}/people-notices", method="GET"))["items"][0]["people"] == 0
    for path in ("people-notices/999", "people-notices/999/letters"):
        assert (await incident(desk, "officer", "GET", f"/{id_}/{path}")).status_code == 404


async def test_the_list_is_told_page_by_page(desk: Desk):
    id_ = await opened(desk)
    records = [await person(desk.world, number) for number in range(1, 4)]
    number = await noticed(desk, id_, *records)
    place, met, after = f"/{id_}/people-notices/{number}/letters", [], ""
    while True:
        page = await done(desk, f"{place}?limit=2{after}", method="GET")
        met += [each["record"] for each in page["items"]]
        assert page["counts"] == {"listed": 3}
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(met) == sorted(records)


async def test_a_row_that_was_taken_out_is_missed_and_one_that_was_put_in_sends_nothing(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    record = await person(world, 1)
    number = await approved(desk, id_, record)
    (row,) = rows_of(world, outbox)
    with world.database.connect() as connection, connection.begin():
        connection.execute(outbox.insert().values({**row, "letter": bytes(16), "due": 0}))
    with serving(box, free_port):
        assert await notifier(world, free_port).round() == 1
    assert len(box.letters) == 1
    assert desk.findings() == [f"notice_outbox {'0' * 32}: no letter says so"]
    with world.database.connect() as connection, connection.begin():
        connection.execute(outbox.delete())
    answer = await incident(desk, "officer", "GET", f"/{id_}/people-notices/{number}/letters")
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")


async def test_once_the_incident_is_over_no_letter_leaves_and_none_is_made(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk, aware_at=hours(0)), Box()
    record = await person(world, 1)
    number = await approved(desk, id_, record)
    await ruled_out(desk, id_)
    with serving(box, free_port):
        await notifier(world, free_port).round()
    told = await letter(desk, id_, number, record)
    assert (box.letters, told["state"], told["reason"]) == ([], "withheld", "INCIDENT_OVER")
    assert await refused(desk, f"/{id_}/people-notices", WORDING) == STATE
    assert await refused(desk, f"/{id_}/people-notices/{number}/again", {}) == STATE


async def test_what_was_withheld_while_the_incident_was_over_goes_once_it_is_open_again_and_somebody_approved(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk, aware_at=hours(0)), Box()
    first, second, third = [await person(world, number) for number in (1, 2, 3)]
    number = await approved(desk, id_, first)
    place = f"/{id_}/people-notices/{number}"
    sender = notifier(world, free_port)
    with serving(box, free_port):
        await sender.round()
        await done(desk, f"{place}/people", {"records": [second, third]})
        assert (await approving(desk, id_, number, 3)).status_code == 200
        await ruled_out(desk, id_)
        await sender.round()
        assert await states(desk, id_, number) == {first: "sent", second: "withheld", third: "withheld"}
        noted = (await letter(desk, id_, number, third))["id"]
        await done(desk, f"/{id_}/letters/{noted}/outcome", {"result": "delivered"})
        await done(desk, f"/{id_}/state", {"state": "suspected"})
        assert await sender.round() == 0, "by itself nothing goes that was withheld"
        assert (await done(desk, f"{place}/again", {}))["letters"] == 1
        assert (await done(desk, f"{place}/again", {}))["letters"] == 0
        told = (await done(desk, f"/{id_}/people-notices", method="GET"))["items"][0]
        assert (told["people"], told["waiting"]) == (3, 1)
        assert await sender.round() == 0, "nobody approved it since"
        assert await states(desk, id_, number) == {first: "sent", second: "listed", third: "delivered"}
        assert (await approving(desk, id_, number, 3, "officer")).json()["code"] == "same-person"
        assert (await approving(desk, id_, number, 3)).status_code == 200
        await sender.round()
    assert box.to == ["someone1@example.org", "someone2@example.org"]
    assert desk.findings() == []


async def test_who_sends_again_what_was_withheld_does_not_approve_it(desk: Desk, free_port: int):
    id_ = await opened(desk, aware_at=hours(0))
    number = await approved(desk, id_, await person(desk.world, 1))
    await ruled_out(desk, id_)
    await notifier(desk.world, free_port).round()
    await done(desk, f"/{id_}/state", {"state": "suspected"})
    assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}, "second_officer"))["letters"] == 1
    assert (await approving(desk, id_, number, 1)).json()["code"] == "same-person"


async def test_who_chose_whom_it_reaches_lets_no_letter_go_though_another_wrote_it(desk: Desk):
    id_ = await opened(desk)
    first, second, third = [await person(desk.world, number) for number in (1, 2, 3)]
    number = await noticed(desk, id_, first)
    place = f"/{id_}/people-notices/{number}"
    assert (await incident(desk, "second_officer", "POST", f"{place}/people", {"records": [second]})).status_code == 200
    refused_ = await approving(desk, id_, number, 2)
    assert (refused_.status_code, refused_.json()["code"], desk.world.entries()[-1].reason) == (403, "same-person", "SAME_PERSON")
    assert (await approving(desk, id_, number, 2, "officer")).json()["code"] == "same-person", "nor does who wrote it"
    told = await letter(desk, id_, number, second)
    assert (await incident(desk, "officer", "POST", f"/{id_}/letters/{told['id']}/removal")).status_code == 200
    assert (await approving(desk, id_, number, 1)).json()["code"] == "same-person", "what she did to the list stays hers"
    number = await noticed(desk, id_, first)
    assert (await approving(desk, id_, number, 1)).status_code == 200
    await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [third]})
    assert (await approving(desk, id_, number, 2)).status_code == 200, "who approved before may approve again"


async def test_a_list_that_was_changed_since_she_looked_takes_the_second_person_another_look(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, other = [await person(world, number) for number in (1, 2)]
    number = await noticed(desk, id_, first)
    place = f"/{id_}/people-notices/{number}"
    seen = await done(desk, f"{place}/letters", who="second_officer", method="GET")
    assert ([each["record"] for each in seen["items"]], seen["list_version"]) == ([first], 1)
    await done(desk, f"/{id_}/letters/{seen['items'][0]['id']}/removal")
    await done(desk, f"{place}/people", {"records": [other]})
    body = {"people": 1, "list_version": seen["list_version"], "code": world.one_time_code("second_officer")}
    assert await refused(desk, f"{place}/approval", body, "second_officer") == STATE
    with serving(box, free_port):
        await notifier(world, free_port).round()
        assert box.to == []
        assert (await done(desk, place, method="GET"))["item"]["list_version"] == 3
        assert (await approving(desk, id_, number, 1)).status_code == 200
        await notifier(world, free_port).round()
    assert box.to == ["someone2@example.org"]


async def test_where_no_server_sends_a_letter_is_printed_after_a_day_noted_and_the_incident_closed(desk: Desk):
    world, id_ = desk.world, await opened(desk)
    number = await noticed(desk, id_, await person(world, 1), await person(world, 2))
    world.clock.forward(2 * 86_400)
    assert (await approving(desk, id_, number, 2)).status_code == 200
    await done(desk, f"/{id_}/people-notices/{number}/people", {"records": [await person(world, 3)]})
    told = (await done(desk, f"/{id_}/people-notices/{number}/letters", method="GET"))["items"]
    await done(desk, f"/{id_}/state", {"state": "confirmed"})
    for track in ("authority", "people"):
        await done(desk, f"/{id_}/filing", {"filed_at": now(desk), "reference": "SDAIA-1", "track": track})
    for each in told:
        assert await refused(desk, f"/{id_}/letters/{each['id']}/outcome", {"result": "delivered"}) == STATE, "a server may take it still"
    world.clock.forward(86_400)
    noted = []
    for each in told:
        page = await incident(desk, "officer", "GET", f"/{id_}/letters/{each['id']}/page")
        if page.status_code == 200:
            await done(desk, f"/{id_}/letters/{each['id']}/outcome", {"result": "delivered"})
            noted.append(each["id"])
    assert len(noted) == 2, "who is new on the list was let go by nobody"
    assert (await done(desk, f"/{id_}/state", {"state": "closed"}))["state"] == "closed"


async def test_nobody_stops_letters_that_two_people_let_go_by_closing_the_incident(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    await approved(desk, id_, await person(world, 1))
    world.clock.forward(5)
    await done(desk, f"/{id_}/state", {"state": "confirmed"})
    for track in ("authority", "people"):
        await done(desk, f"/{id_}/filing", {"filed_at": now(desk), "reference": "SDAIA-1", "track": track})
    assert await refused(desk, f"/{id_}/state", {"state": "closed"}) == (409, "tracks-open", [])
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert box.to == ["someone1@example.org"]
    assert (await done(desk, f"/{id_}/state", {"state": "closed"}))["state"] == "closed"


async def test_whom_the_incident_excludes_sees_no_notice_and_no_letter(desk: Desk):
    id_ = await opened(desk)
    record = await person(desk.world, 1)
    number = await noticed(desk, id_, record)
    told = await letter(desk, id_, number, record)
    who = str(uuid.UUID((await desk.world.person("second_officer")).id))
    await done(desk, f"/{id_}/exclusion", {"staff": who})
    one, it = f"/{id_}/people-notices/{number}", f"/{id_}/letters/{told['id']}"
    tries: list[tuple[str, str, Any]] = [
        ("GET", f"/{id_}/people-notices", None),
        ("POST", f"/{id_}/people-notices", WORDING),
        ("GET", one, None),
        ("POST", f"{one}/people", {"records": [record]}),
        ("POST", f"{one}/approval", {"people": 1, "list_version": 1}),
        ("POST", f"{one}/again", {}),
        ("GET", f"{one}/letters", None),
        ("POST", f"{it}/removal", None),
        ("POST", f"{it}/outcome", {"result": "delivered"}),
        ("GET", f"{it}/page", None),
    ]
    for method, path, body in tries:
        assert await refused(desk, path, body, "second_officer", method) == (403, "excluded", []), path


async def test_doctor_names_a_letter_whose_row_is_gone_before_it_left_and_those_that_wait_for_somebody(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    first, second = await person(world, 1), await person(world, 2, email=None)
    number = await noticed(desk, id_, first, second)

    def waiting(*, sends: bool) -> list[str]:
        with snapshot(world.database, world.association.id) as connection:
            return list(unsent(connection, world.association.cabinet, world.association.id, 72, world.clock.now, sends=sends))

    assert waiting(sends=False) == [], "nobody approved them yet"
    assert (await approving(desk, id_, number, 2)).status_code == 200
    (unnamed,) = waiting(sends=False)
    assert unnamed.endswith(": 2 letters wait, and no server is named to send them by (notice-mail.toml)")
    assert waiting(sends=True) == []
    box.answers = {"someone1@example.org": "550 none"}
    with serving(box, free_port):
        await notifier(world, free_port).round()
    found = waiting(sends=True)
    assert [each.partition(": ")[2].partition(" (")[0] for each in found] == ["1 letters failed", "1 letters go by post or by hand"]
    assert (await done(desk, f"/{id_}/people-notices/{number}/again", {}))["letters"] == 1
    gone = (await letter(desk, id_, number, first))["id"]
    with world.database.connect() as connection, connection.begin():
        connection.execute(outbox.delete().where(outbox.c.letter == uuid.UUID(gone).bytes))
    assert desk.findings() == [f"notice_outbox {uuid.UUID(gone).hex}: missing, and the letter never left"]


async def test_words_that_were_altered_open_to_nobody_and_no_letter_leaves_with_them(desk: Desk, free_port: int):
    world, id_, box = desk.world, await opened(desk), Box()
    number = await approved(desk, id_, await person(world, 1))
    rows = rows_of(world, incident_part)
    put(world, incident_part, [{**row, "sealed": rows[0]["sealed"]} for row in rows])
    with serving(box, free_port):
        await notifier(world, free_port).round()
    assert box.letters == []
    assert set((await states(desk, id_, number)).values()) == {"failed"}
    answer = await incident(desk, "officer", "GET", f"/{id_}/people-notices/{number}")
    assert (answer.status_code, answer.json()["code"]) == (503, "integrity")
