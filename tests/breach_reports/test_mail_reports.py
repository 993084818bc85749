"""A message becomes a report whoever sent it: kept as it came, once, graded, seen by officers, and acknowledged only if it is verified."""

import asyncio
import hashlib
import random
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from tests.breach_reports.letters import AUTHOR, TEXT, Dns, dns, letter, signed
from tests.breach_reports.post import SENDER, Post, post_of, receiving
from tests.breach_reports.test_mail_letter import mutated, samples
from tests.simulator import SECOND, World
from vault import smtp
from vault.access_log.verify import snapshot
from vault.breach_reports import case, limits
from vault.breach_reports.mail import api, room, taking
from vault.breach_reports.service import Wanted
from vault.breach_reports.shapes import ALL_KINDS
from vault.breach_reports.tables import part, report, report_key
from vault.officer.frame import Speaker
from vault.officer.reports import line
from vault.rulebook.asker import Errand
from vault.web import write_id
from vault.web.times import parse_time, write_time

pytestmark = pytest.mark.asyncio(loop_scope="function")
HOUR = 3600
AT = ("", "?arrived_at=1970-01-02T00:00:00Z", "?arrived_at=2100-01-01T00:00:00Z")
"""Days of arrival that are not there, too early or yet to come."""


@pytest_asyncio.fixture(loop_scope="function")
async def post(vault: World, free_port: int) -> AsyncIterator[Post]:
    with receiving(free_port) as box:
        async with post_of(vault, free_port, box) as made:
            yield made


async def test_a_verified_message_is_a_report_an_officer_reads_and_its_author_is_told(post: Post):
    raw = signed(letter())
    arrived = post.world.clock.now - 90 * 60 * SECOND
    told = await post.taken(raw, f"?arrived_at={write_time(arrived)}")
    assert (told["grade"], told["acknowledged"], told["done"], told["again_at"]) == ("verified", True, True, None)
    read = await post.read(told["reference"])
    assert (read["channel"], read["grade"], read["state"], read["narrative"], read["contact"]) == (
        "email",
        "verified",
        "received",
        TEXT,
        AUTHOR,
    )
    assert (read["seen_at"], read["received_at"]) == (write_time(arrived), write_time(post.world.clock.now))
    assert read["clock"]["due_at"] == write_time(arrived + 72 * HOUR * SECOND)
    mail = read["mail"]
    assert (mail["froms"], mail["subject"], mail["text_is"], mail["marks"]) == ([AUTHOR], "بلاغ عن انتهاك", "plain", [])
    assert (mail["sha256"], mail["size"], mail["answered"]) == (hashlib.sha256(raw).hexdigest(), len(raw), "sent")
    assert [each["name"] for each in mail["lookups"]] == ["s1._domainkey.example.org", "_dmarc.example.org"]
    entry = post.world.entries()[read["entry"]["index"]]
    assert (entry.kind, entry.fields) == ("breach_report.read", ALL_KINDS)
    assert post.desk.findings() == []


@pytest.mark.parametrize("dated", ["1970-01-01T00:00:00Z", "2019-12-31T23:59:59Z"])
async def test_a_mailbox_that_dates_a_message_before_there_was_a_law_is_not_believed(post: Post, dated: str):
    told = await post.taken(signed(letter()), f"?arrived_at={dated}")
    read, now = await post.read(told["reference"]), post.world.clock.now
    assert (read["seen_at"], read["clock"]["due_at"]) == (write_time(now), write_time(now + 72 * HOUR * SECOND))
    judged = await post.desk.as_("officer", "POST", f"/{read['id']}/triage", {"finding": "breach"})
    assert judged.status_code == 200, judged.text


async def test_one_officer_alone_does_not_move_awareness_later_by_judging_a_mail_that_lay_in_the_mailbox(post: Post):
    now = post.world.clock.now
    told = await post.taken(signed(letter()), f"?arrived_at={write_time(now - 100 * 3600 * SECOND)}")
    read = await post.read(told["reference"])
    assert read["clock"]["overdue"] is True
    judged = await post.desk.as_("officer", "POST", f"/{read['id']}/triage", {"finding": "breach", "aware_at": write_time(now)})
    assert (judged.status_code, judged.json()["errors"]) == (422, [{"field": "aware_at", "code": "out-of-range"}])


async def test_the_acknowledgement_quotes_nothing_goes_to_the_author_alone_and_asks_for_no_answer(post: Post):
    told = await post.taken(signed(letter(Reply_To="thief@example.com", Subject="سر لا يعاد")))
    (sent,) = post.box.letters
    assert post.box.envelopes == [("<>", [AUTHOR])]
    assert (sent["To"], sent["From"], sent["Auto-Submitted"], sent["In-Reply-To"]) == (AUTHOR, SENDER, "auto-replied", "<1@example.org>")
    whole = sent["Subject"] + sent.get_content()
    assert told["reference"] in whole
    assert "سر لا يعاد" not in whole
    assert TEXT not in whole
    assert "سدايا" in whole


SIX = {
    "verified": (signed(letter()), dns()),
    "a byte of the body changed": (signed(letter()).replace(b"\r\n\r\n", b"\r\n\r\nx", 1), dns()),
    "text behind a signed length": (signed(letter(), length=True) + b"more\r\n", dns()),
    "another's domain": (signed(letter(), "example.com"), dns("example.com")),
    "two authors": (b"From: other@example.org\r\n" + signed(letter()), dns()),
    "no dns": (signed(letter(number=6)), Dns(silent=True)),
}


async def test_all_six_make_a_report_and_only_the_first_is_acknowledged(post: Post):
    told = {}
    for name, (raw, known) in SIX.items():
        post.dns.records, post.dns.silent = known.records, known.silent
        told[name] = await post.taken(raw)
    assert [each["grade"] for each in told.values()] == ["verified", "failed", "unverified", "unverified", "failed", "temp_error"]
    assert [each["acknowledged"] for each in told.values()] == [True, False, False, False, False, False]
    listed = (await post.desk.as_("officer", "GET", "")).json()["items"]
    assert {each["reference"]: each["grade"] for each in listed} == {each["reference"]: each["grade"] for each in told.values()}
    assert len(post.box.letters) == 1


async def test_whether_a_signature_had_expired_is_told_by_the_mailboxs_clock_and_no_later_one(post: Post):
    post.world.clock.now = int(time.time()) * SECOND  # the library goes by the machine's
    arrived = post.world.clock.now - HOUR * SECOND
    for until, reasons in ((arrived // SECOND - 1, ["expired"]), (arrived // SECOND, [])):
        told = await post.taken(signed(letter(), until=until), f"?arrived_at={write_time(arrived)}")
        assert (await post.read(told["reference"]))["mail"]["reasons"] == reasons


async def test_the_same_bytes_are_one_report_and_one_acknowledgement(post: Post):
    raw = signed(letter())
    first, second = await post.taken(raw), await post.taken(raw)
    assert (first["reference"], first["already"]) == (second["reference"], False)
    assert (second["already"], second["done"], len(post.box.letters)) == (True, True, 1)
    together = await asyncio.gather(*(post.taken(letter(number=7)) for _ in range(6)))
    assert len({each["reference"] for each in together}) == 1
    assert len((await post.desk.as_("officer", "GET", "")).json()["items"]) == 2
    other = await post.taken(letter("another text", number=7))
    assert other["reference"] != together[0]["reference"]  # whoever knows a Message-ID keeps nobody's message out


@pytest.mark.parametrize("header", [{"Auto-Submitted": "auto-replied"}, {"Return-Path": "<>"}, {"Precedence": "bulk"}, {"From": SENDER}])
async def test_what_no_person_wrote_is_a_report_in_quarantine_and_is_never_answered(post: Post, header: dict[str, Any]):
    post.dns.records |= dns("example.net").records
    domain = "example.net" if "From" in header else "example.org"
    told = await post.taken(signed(letter(**header), domain))
    assert (told["grade"], told["acknowledged"], told["done"]) == ("verified", False, True)
    read = await post.read(told["reference"], "quarantined")
    assert (read["doubt"], post.box.letters) == ("automatic", [])
    assert read["mail"]["automatic"]


async def test_what_lay_in_the_junk_is_looked_at_apart_and_is_never_answered(post: Post):
    raw = signed(letter())
    told = await post.taken(raw, "?junk=true")
    assert (told["grade"], told["acknowledged"], told["done"], post.box.letters) == ("verified", False, True, [])
    assert (await post.read(told["reference"], "quarantined"))["doubt"] == "junk"
    assert (await post.taken(raw))["acknowledged"] is False  # nor where somebody takes it out of there


async def test_what_dns_tells_of_junk_later_is_not_answered_either(post: Post):
    post.dns.silent = True
    assert (await post.taken(signed(letter()), "?junk=true"))["done"] is False
    post.dns.silent = False
    post.world.clock.forward(HOUR)
    told = await post.taken(signed(letter()), "?junk=true")
    assert (told["grade"], told["acknowledged"], told["done"], post.box.letters) == ("verified", False, True, [])


async def test_what_was_put_into_the_junk_before_its_acknowledgement_left_is_not_answered(post: Post):
    raw = signed(letter())
    post.box.says = "451 later"
    assert (await post.taken(raw))["done"] is False
    post.box.says = ""
    told = await post.taken(raw, "?junk=true")
    assert (told["acknowledged"], told["done"], post.box.letters) == (False, True, [])
    assert (await post.read(told["reference"]))["mail"]["answered"] == "unsent"


async def test_silence_of_dns_is_asked_three_times_more_within_a_day_and_no_oftener(post: Post):
    raw = signed(letter())
    post.dns.silent = True
    first = await post.taken(raw)
    assert (first["grade"], first["done"], first["again_at"]) == ("temp_error", False, write_time(post.world.clock.now + HOUR * SECOND))
    asked = len(post.dns.asked)
    assert (await post.taken(raw))["again_at"] == first["again_at"]
    assert len(post.dns.asked) == asked  # not yet
    for hours, done in ((1, False), (5, False), (18, True)):
        post.world.clock.forward(hours * HOUR)
        told = await post.taken(raw)
        assert (told["grade"], told["done"], told["reference"]) == ("temp_error", done, first["reference"])
    asked = len(post.dns.asked)
    post.world.clock.forward(48 * HOUR)
    assert (await post.taken(raw))["done"]
    assert len(post.dns.asked) == asked


async def test_a_sender_that_dns_tells_of_later_is_verified_then_and_answered_then(post: Post):
    raw = signed(letter())
    post.dns.silent = True
    first = await post.taken(raw)
    assert post.box.letters == []
    post.dns.silent = False
    post.world.clock.forward(HOUR)
    told = await post.taken(raw)
    assert (told["grade"], told["acknowledged"], told["done"], len(post.box.letters)) == ("verified", True, True, 1)
    read = await post.read(first["reference"])
    assert (read["grade"], [each["failed"] for each in read["mail"]["lookups"]]) == ("verified", [False, False])
    assert [each.kind for each in post.world.entries() if each.kind.startswith("breach_report.mail")] == [
        "breach_report.mail-graded",
        "breach_report.mail-answered",
    ]
    assert post.desk.findings() == []


async def test_a_check_of_the_sender_finds_room_in_a_case_full_of_texts(post: Post, monkeypatch: pytest.MonkeyPatch):
    raw = signed(letter())
    post.dns.silent = True
    first = await post.taken(raw)
    monkeypatch.setattr(case, "MOST_PARTS", 5)
    monkeypatch.setattr(case, "KEPT_FREE", 3)
    for hours, done in ((1, False), (5, False), (18, True)):
        post.world.clock.forward(hours * HOUR)
        told = await post.taken(raw)
        assert (told["grade"], told["done"], told["reference"]) == ("temp_error", done, first["reference"])


async def test_an_acknowledgement_that_cannot_leave_now_is_due_still(post: Post):
    raw = signed(letter())
    post.box.says = "451 later"
    told = await post.taken(raw)
    assert (told["acknowledged"], told["done"]) == (False, False)
    assert told["again_at"] == write_time(post.world.clock.now + taking.PAUSE)
    post.box.says = ""
    assert (await post.taken(raw))["again_at"] == told["again_at"]  # not yet
    post.world.clock.now += taking.PAUSE
    again = await post.taken(raw)
    assert (again["acknowledged"], again["done"], len(post.box.letters)) == (True, True, 1)
    assert post.desk.findings() == []


async def test_a_message_handed_in_twice_at_once_is_acknowledged_once(post: Post):
    raw = signed(letter())
    answers = await asyncio.gather(post.hand_in(raw), post.hand_in(raw))
    assert sorted(each.status_code for each in answers) == [200, 201]
    assert len(post.box.letters) == 1
    post.world.clock.now += taking.PAUSE
    assert ((await post.taken(raw))["done"], len(post.box.letters)) == (True, 1)


@pytest.mark.parametrize("first", ["a server that rests", "silence of DNS"])
async def test_one_handed_in_twice_at_once_the_second_time_is_acknowledged_once(post: Post, first: str):
    raw, rests = signed(letter()), first == "a server that rests"
    post.box.says, post.dns.silent = "451 later" if rests else "", not rests
    assert (await post.taken(raw))["done"] is False
    post.box.says, post.dns.silent = "", False
    post.world.clock.forward(HOUR)
    answers = await asyncio.gather(post.hand_in(raw), post.hand_in(raw))
    assert [each.status_code for each in answers] == [200, 200]
    assert len(post.box.letters) == 1
    assert post.desk.findings() == []


async def test_an_hour_without_a_mail_server_costs_no_reporter_her_acknowledgement(post: Post):
    raws = [signed(letter(number=number)) for number in range(2)]
    post.box.says = "451 later"
    started, tried = post.world.clock.now, []
    for _ in range(6):
        for raw in raws:
            told = await post.taken(raw)
            assert (told["acknowledged"], told["done"]) == (False, False)
        tried.append(parse_time(told["again_at"]) - started)
        post.world.clock.forward(600)
    assert sorted(set(tried)) == [taking.PAUSE, 3 * taking.PAUSE, 6 * taking.PAUSE]  # growing pauses
    assert (await post.read(told["reference"]))["mail"]["answered"] == "due"
    post.box.says = ""
    assert [(await post.taken(raw))["acknowledged"] for raw in raws] == [True, True]
    others = [await post.taken(signed(letter(number=number))) for number in range(2, 6)]
    assert [each["acknowledged"] for each in others] == [True, True, True, False]  # five a day, by those that were due and not by attempts


async def test_an_acknowledgement_that_no_server_took_for_days_is_noted_as_never_sent(post: Post):
    raw = signed(letter())
    post.box.says = "451 later"
    first = post.world.clock.now
    while not (told := await post.taken(raw))["done"]:
        post.world.clock.now = parse_time(told["again_at"])
    assert post.world.clock.now - first > 5 * 24 * HOUR * SECOND
    assert (told["acknowledged"], (await post.read(told["reference"]))["mail"]["answered"]) == (False, "unsent")


async def test_an_acknowledgement_that_is_refused_for_good_is_given_up_and_noted(post: Post):
    post.box.says = "550 nobody here"
    told = await post.taken(signed(letter()))
    assert (told["acknowledged"], told["done"]) == (False, True)
    assert (await post.read(told["reference"]))["mail"]["answered"] == "refused"


async def test_an_acknowledgement_that_was_taken_without_a_word_in_time_is_noted_as_doubtful_and_not_sent_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smtp, "MOST_SECONDS", 0.5)
    post.box.late = 1
    raw = signed(letter())
    told = await post.taken(raw)
    assert (told["acknowledged"], told["done"], len(post.box.letters)) == (False, True, 1)
    assert (await post.read(told["reference"]))["mail"]["answered"] == "doubtful"
    post.world.clock.forward(24 * HOUR)
    assert (await post.taken(raw))["done"]
    assert len(post.box.letters) == 1


async def test_two_machines_that_answer_each_other_come_to_an_end(post: Post):
    told = [await post.taken(signed(letter(number=number))) for number in range(8)]
    assert all(each["done"] for each in told)
    assert len(post.box.letters) == room.ANSWERS[1]
    assert (await post.read(told[-1]["reference"]))["mail"]["answered"] == "unsent"


async def test_a_message_brought_again_with_something_unsigned_on_top_is_a_report_and_no_second_letter_to_its_author(post: Post):
    """Whoever has one message that she signed, to whomever, can hand it in as often as he likes."""
    raw = signed(letter(To="somebody.else@example.com"))
    told = [await post.taken(f"X-Number: {number}\r\n".encode() + raw) for number in range(3)]
    assert [(each["grade"], each["acknowledged"], each["done"]) for each in told] == [
        ("verified", True, True),
        ("verified", False, True),
        ("verified", False, True),
    ]
    assert (len({each["reference"] for each in told}), len(post.box.letters)) == (3, 1)
    assert (await post.read(told[-1]["reference"]))["mail"]["answered"] == "unsent"


def of(address: str, number: int = 1) -> bytes:
    """A message that the author's domain signed; what stands before it in her address is whatever she likes."""
    return signed(letter(number=number).replace(f"From: {AUTHOR}".encode(), f"From: <{address}>".encode()))


@pytest.mark.parametrize(
    "local",
    [
        "=?utf-8?q??=",
        "=?utf-8?q?x=0D=0ABcc=3Ay?=",
        "=?utf-8?q?=0A?=",
        "=?unicode_escape?q?=5Cud800?=",
        "=?utf-8?q?other?=",
        "a..b",
    ],
)
async def test_an_author_whose_address_would_be_read_as_another_is_reported_and_never_written_to(post: Post, local: str):
    raw = of(f"{local}@example.org")
    told = await post.taken(raw)
    assert (told["grade"], told["acknowledged"], told["done"], post.box.letters) == ("verified", False, True, [])
    assert (await post.taken(raw))["done"]
    read = await post.read(told["reference"])
    assert (read["narrative"], read["mail"]["answered"]) == (TEXT, "unsent")


async def test_a_number_of_the_message_that_would_be_read_as_more_is_not_named_in_the_answer(post: Post):
    """An encoded word within an encoded word: once read it is one again, which a header would read as two fields."""
    raw = letter().replace(b"<1@example.org>", b"<=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0D=3D0ABcc=3D3Ax=3F=3D?=@example.org>")
    assert (await post.taken(signed(raw)))["acknowledged"]
    (sent,) = post.box.letters
    assert (sent["To"], sent["In-Reply-To"], sent["Bcc"]) == (AUTHOR, None, None)


async def test_where_the_settings_are_taken_away_what_was_due_keeps_no_message_waiting(vault: World, free_port: int):
    with receiving(free_port) as box:
        async with post_of(vault, free_port, box) as post:
            box.says = "451 later"
            assert (await post.taken(signed(letter())))["done"] is False
        async with post_of(vault, free_port, box, answers=False) as post:
            assert (await post.taken(signed(letter())))["done"]


async def test_without_settings_nobody_is_answered(vault: World, free_port: int):
    with receiving(free_port) as box:
        async with post_of(vault, free_port, box, answers=False) as post:
            told = await post.taken(signed(letter()))
            assert (told["grade"], told["acknowledged"], told["done"], box.letters) == ("verified", False, True, [])


async def test_the_exact_bytes_come_back_to_an_officer_after_an_entry_of_its_own(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(taking, "PIECE", 100)
    raw = signed(letter(text="نص طويل " * 300))
    id_ = await post.desk.id_of((await post.taken(raw))["reference"])
    answer = await post.desk.as_("officer", "GET", f"/{id_}/mail")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "message/rfc822", raw)
    assert answer.headers["content-disposition"].startswith('attachment; filename="BR-')
    assert answer.headers["x-content-type-options"] == "nosniff"
    told = post.world.entries()[-1]
    assert (told.kind, told.fields, told.outcome) == ("breach_report.read", ("mail",), "allow")


async def test_a_report_from_the_page_has_no_message_and_no_grade(post: Post):
    id_ = await post.desk.id_of((await post.desk.report())["reference"])
    before = len(post.world.entries())
    assert (await post.desk.as_("officer", "GET", f"/{id_}/mail")).status_code == 404
    assert len(post.world.entries()) == before
    read = await post.desk.read(id_)
    assert (read["mail"], read["grade"], read["seen_at"], read["channel"]) == (None, None, None, "web")


async def test_whom_a_mail_excludes_sees_neither_the_report_nor_its_bytes(post: Post):
    id_ = await post.desk.id_of((await post.taken(letter()))["reference"])
    officer = await post.world.person("officer")
    done = await post.desk.as_("second_officer", "POST", f"/{id_}/exclusion", {"staff": str(uuid.UUID(officer.id))})
    assert done.status_code == 200, done.text
    for path in ("", "/mail"):
        assert (await post.desk.as_("officer", "GET", f"/{id_}{path}")).status_code == 403
    assert (await post.desk.as_("officer", "GET", "")).json()["withheld"] == 1


async def test_only_who_holds_the_scope_hands_in_and_only_a_person_of_reports_reads(post: Post):
    id_ = await post.desk.id_of((await post.taken(letter()))["reference"])
    officer = await post.world.session("officer")
    refused = await post.hand_in(letter(number=2), Authorization=f"Bearer {officer}")
    assert (refused.status_code, refused.json()["code"]) == (403, "out-of-scope")
    assert (await post.hand_in(letter(), Authorization="Bearer x")).status_code == 401
    key = {"Authorization": f"Bearer {post.world.ceremony.api_key}"}
    assert (await post.desk.http.get(f"/v1/breach-reports/{id_}/mail", headers=key)).status_code == 403
    assert (await post.desk.as_("admin", "GET", f"/{id_}/mail")).status_code == 403


async def test_a_day_of_arrival_that_is_not_believed_keeps_no_signature_from_having_expired(post: Post):
    now = int(time.time())  # the library's clock, which nobody sets
    post.world.clock.now = now * SECOND
    raw = signed(letter(), until=now - HOUR)
    told = [await post.taken(b"X-Number: %d\r\n" % number + raw, query) for number, query in enumerate(AT)]
    assert [each["grade"] for each in told] == ["unverified", "unverified", "unverified"]
    at = write_time((now - 2 * HOUR) * SECOND)
    assert (await post.taken(raw, f"?arrived_at={at}"))["grade"] == "verified"


async def test_what_is_no_message_or_too_large_is_refused_and_what_was_cut_says_so(post: Post, monkeypatch: pytest.MonkeyPatch):
    assert (await post.hand_in(letter(), kind="application/json")).status_code == 415
    assert (await post.hand_in(letter(), **{"Content-Encoding": "gzip"})).status_code == 415
    assert (await post.hand_in(b"x" * (api.MOST_MAIL + 1))).status_code == 413
    assert (await post.hand_in(letter(), "?whole=true")).status_code == 400
    told = await post.taken(signed(letter())[:-50], "?cut=true")
    assert (told["grade"], told["done"]) == ("unverified", True)
    assert (await post.read(told["reference"]))["mail"]["cut"] is True
    post.free[0] = 0
    paused = await post.hand_in(letter(number=9))
    assert (paused.status_code, paused.json()["code"]) == (503, "intake-paused")


async def test_no_flood_of_mail_takes_the_room_that_words_of_the_page_have(post: Post):
    small, large = letter(), letter(number=2) + b"x" * limits.MOST_SMALL_MAIL

    async def taken(free: int, raw: bytes) -> int:
        post.free[0] = free
        return (await post.hand_in(raw)).status_code

    assert await taken(limits.LEAST_FREE_FOR_FILES + len(large), large) == 201
    assert await taken(limits.LEAST_FREE_FOR_FILES + len(large) - 1, large + b"x") == 503
    assert await taken(limits.LEAST_FREE_FOR_MAIL + len(small), small) == 201
    assert await taken(limits.LEAST_FREE_FOR_MAIL + len(small) - 1, letter(number=3)) == 503
    assert (await post.desk.report())["reference"]


async def test_the_officers_page_says_how_the_sender_is_known(post: Post):
    await post.taken(signed(letter()))
    await post.desk.report()
    found, _ = await post.desk.reports.listed(Errand(await post.world.person("officer"), "r"), Wanted())
    said = {line(each, {}, Speaker("ar"), post.world.clock.now).grade for each in found}
    assert said == {"", "بريد إلكتروني، مرسله موثَّق"}


async def test_a_flood_lies_in_quarantine_and_none_of_it_is_dropped(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "ALL", ("report-mail", 5, 5))
    told = [await post.taken(letter(number=number)) for number in range(9)]
    shown = await post.desk.as_("officer", "GET", "")
    assert (len(shown.json()["items"]), shown.json()["quarantined"]) == (5, 4)
    assert (await post.read(told[-1]["reference"], "quarantined"))["doubt"] == "association"


async def test_what_is_put_aside_as_a_flood_is_not_answered_letter_by_letter(post: Post, monkeypatch: pytest.MonkeyPatch):
    """Whoever signs for a domain invents as many authors of it as she likes."""
    monkeypatch.setattr(room, "ALL", ("report-mail", 2, 0))
    told = [await post.taken(of(f"a{number}@example.org", number)) for number in range(6)]
    assert [(each["grade"], each["done"]) for each in told] == [("verified", True)] * 6
    assert [each["acknowledged"] for each in told] == [True, True, False, False, False, False]
    assert len(post.box.letters) == 2


async def test_a_day_in_the_future_is_taken_for_now(post: Post):
    told = await post.taken(letter(), f"?arrived_at={write_time(post.world.clock.now + HOUR * SECOND)}")
    assert (await post.read(told["reference"]))["seen_at"] == write_time(post.world.clock.now)


async def test_nothing_of_a_message_lies_in_the_clear(post: Post):
    told = await post.taken(signed(letter()))
    with snapshot(post.world.database) as connection:
        rows = [row for table in (report, report_key, part) for row in connection.execute(select(table))]
    stored = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row)
    for canary in (AUTHOR, TEXT, "example.org", "verified", "بلاغ عن انتهاك", "email"):
        assert canary.encode() not in stored
    assert told["reference"].encode() in stored


async def test_every_mutated_message_becomes_a_report(post: Post):
    seed = random.randrange(1 << 32)
    rng, raws = random.Random(seed), samples()
    seen = {}
    for number in range(120):
        raw = mutated(rng, raws[number % len(raws)])
        told = await post.hand_in(raw)
        assert told.status_code in (200, 201), (seed, number, told.text)
        seen[hashlib.sha256(raw).hexdigest()] = told.json()["reference"]
    assert len(set(seen.values())) == len(seen)
    found = await post.desk.reports.index.known(post.world.association)
    assert {fact.reference for fact in found.values()} == set(seen.values())
    for id_ in list(found)[:10]:
        await post.desk.read(write_id(id_))
    assert post.desk.findings() == []
