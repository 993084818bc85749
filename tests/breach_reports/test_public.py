"""What the public may do: report without a name, follow up with the receipt, and nothing else."""

import re
import secrets
import uuid
from typing import Any

import pytest

from tests.breach_reports.desk import NARRATIVE, PUBLIC, Desk
from tests.journeys.traces import left_in_files
from tests.simulator import NETWORK
from vault.access_log.deed import Deed
from vault.breach_reports import intake, tables
from vault.breach_reports.case import MOST_PARTS
from vault.errors import Unavailable
from vault.web import Public

pytestmark = pytest.mark.asyncio(loop_scope="function")
RECEIPT = re.compile(r"[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){3}")
WRONG = ["", "x", "BR-2026-000001", "00000-00000-00000-00000", "ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ"]


async def test_a_report_needs_no_name_and_gives_a_reference_and_a_receipt(desk: Desk):
    told = await desk.report()
    assert re.fullmatch(r"BR-2026-\d{6}", told["reference"])
    assert RECEIPT.fullmatch(told["receipt"])
    assert told.keys() == {"reference", "receipt"}
    last = desk.world.entries()[-1]
    assert (last.kind, last.outcome, last.actor, last.article) == ("breach_report.received", "allow", "reporter", "cooperative:8")
    assert desk.findings() == []


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"narrative": "ا" * 19}, "narrative", "out-of-range"),
        ({"narrative": " " * 20 + "short"}, "narrative", "out-of-range"),
        ({"narrative": "a" + " " * 30 + "b"}, "narrative", "out-of-range"),
        ({"narrative": "short" + "\u200b\u2060\u3164\u2800" * 10 + "er"}, "narrative", "out-of-range"),
        ({"noticed_on": "20251231"}, "noticed_on", "wrong-type"),
        ({"noticed_on": "2025-W52-3"}, "noticed_on", "wrong-type"),
        ({"noticed_on": "2025-02-30"}, "noticed_on", "wrong-type"),
        ({"narrative": "ا" * 10_001}, "narrative", "out-of-range"),
        ({"category": "gossip"}, "category", "out-of-range"),
        ({"language": "fr"}, "language", "out-of-range"),
        ({"noticed_on": "2026-01-02"}, "noticed_on", "future-dated"),
        ({"noticed_on": "1900-01-01"}, "noticed_on", "out-of-range"),
        ({"noticed_on": "yesterday"}, "noticed_on", "wrong-type"),
        ({"contact": "x" * 301}, "contact", "out-of-range"),
        ({"name": "سارة"}, "?", "unknown-member"),
    ],
)
async def test_what_does_not_hold_is_named_and_nothing_is_kept(desk: Desk, changes: dict[str, Any], field: str, code: str):
    answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar", **changes})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "code": code}]
    assert [entry.kind for entry in desk.world.entries() if entry.kind.startswith("breach_report")] == []


async def test_a_category_and_a_narrative_that_are_both_wrong_are_both_named(desk: Desk):
    answer = await desk.public("", {"category": "gossip", "narrative": "قصير", "language": "ar"})
    assert [each["field"] for each in answer.json()["errors"]] == ["category", "narrative"]


async def test_twenty_characters_are_enough_and_today_in_riyadh_is_no_future(desk: Desk):
    desk.world.clock.forward(22 * 3600)  # 22:00 UTC is tomorrow in Riyadh
    told = await desk.report(narrative="ا" * 20, noticed_on="٢٠٢٦-٠١-٠٢", contact=" ٠٥٠٠٠٠٠٠٠٠ ")
    read = await desk.read(await desk.id_of(told["reference"]))
    assert (read["narrative"], read["noticed_on"], read["contact"]) == ("ا" * 20, "2026-01-02", "٠٥٠٠٠٠٠٠٠٠")


async def test_a_repeat_of_a_request_gives_the_reference_and_not_the_receipt(desk: Desk):
    body = {"category": "other", "narrative": NARRATIVE, "language": "ar"}
    key = uuid.uuid4().hex
    first = await desk.public("", body, idempotency_key=key)
    again = await desk.public("", body, idempotency_key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"reference": first.json()["reference"], "already": True}


async def test_strangers_who_use_one_key_do_not_meet(desk: Desk):
    body = {"category": "other", "narrative": NARRATIVE, "language": "ar"}
    first = await desk.public("", body, idempotency_key="report-0000000000001")
    other = await desk.public("", {**body, "narrative": NARRATIVE * 2}, idempotency_key="report-0000000000001")
    assert (first.status_code, other.status_code) == (201, 201)
    assert other.json()["receipt"]
    assert other.json()["reference"] != first.json()["reference"]
    assert (await desk.public("", body, idempotency_key="report-0000000000001")).json() == {
        "reference": first.json()["reference"],
        "already": True,
    }


async def test_the_receipt_opens_state_and_messages_and_never_what_was_first_written(desk: Desk):
    told = await desk.report(contact="0500000009")
    arabic = told["receipt"].lower().replace("-", " ").translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    answer = await desk.public("/status", {"receipt": arabic})
    assert answer.json() == {
        "reference": told["reference"],
        "state": "received",
        "received_at": "2026-01-01T00:00:00Z",
        "messages": [],
    }
    written = await desk.public("/messages", {"receipt": told["receipt"], "text": " هل من جديد؟ "})
    assert written.status_code == 201
    assert [(each["from"], each["text"]) for each in written.json()["messages"]] == [("reporter", "هل من جديد؟")]
    assert NARRATIVE not in written.text
    assert "0500000009" not in written.text
    last = desk.world.entries()[-1]
    assert (last.kind, last.actor, last.fields) == ("breach_report.read", "reporter", ("message", "reply"))


async def test_every_wrong_receipt_gets_the_same_404_and_leaves_no_entry(desk: Desk):
    await desk.report()
    before = len(desk.world.entries())
    answers = set()
    for receipt in WRONG:
        for path, more in (("/status", {}), ("/messages", {"text": "x"})):
            answer = await desk.public(path, {"receipt": receipt, **more})
            answers.add((answer.status_code, re.sub(r"[0-9a-f]{32}", "", answer.text)))
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert len(desk.world.entries()) == before


async def test_a_receipt_of_one_association_is_none_of_another(desk: Desk):
    told = await desk.report()
    path = PUBLIC.replace("probe", "elsewhere")
    answer = await desk.http.post(f"{path}/status", json={"receipt": told["receipt"]})
    assert answer.status_code == 404


async def test_looks_with_a_wrong_receipt_are_limited(desk: Desk):
    for _ in range(20):
        assert (await desk.public("/status", {"receipt": "x"})).status_code == 404
    answer = await desk.public("/status", {"receipt": "x"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


async def test_messages_of_one_receipt_are_limited_and_must_hold_something(desk: Desk):
    told = await desk.report()
    for text in ("", "   ", "x" * 5001):
        assert (await desk.public("/messages", {"receipt": told["receipt"], "text": text})).status_code == 422
    for _ in range(10):
        desk.world.clock.forward(15)
        assert (await desk.public("/messages", {"receipt": told["receipt"], "text": "x"})).status_code == 201
    assert (await desk.public("/messages", {"receipt": told["receipt"], "text": "x"})).status_code == 429


async def test_a_reporter_cannot_fill_her_case_so_that_officers_have_no_room(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    assert intake.MOST_MESSAGES * 2 <= MOST_PARTS
    monkeypatch.setattr(intake, "MOST_MESSAGES", 1)
    told = await desk.report()
    body = {"receipt": told["receipt"], "text": "x"}
    assert [(await desk.public("/messages", body)).status_code for _ in range(2)] == [201, 429]
    id_ = await desk.id_of(told["reference"])
    assert (await desk.as_("officer", "POST", f"/{id_}/reply", {"text": "x"})).status_code == 200


async def test_a_report_whose_key_is_gone_does_not_vanish_unseen_for_its_holder(desk: Desk):
    told = await desk.report()
    with desk.world.database.connect() as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM breach_report_key")
    assert (await desk.public("/status", {"receipt": told["receipt"]})).status_code == 503
    assert desk.world.entries()[-1].kind == "alarm"
    assert any("missing, so the report cannot be read" in finding for finding in desk.findings())


async def test_no_receipt_leaves_where_the_commit_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def fails(_deed: Deed) -> None:
        raise Unavailable("log-unavailable")

    monkeypatch.setattr(Deed, "close", fails)
    answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar"})
    assert answer.status_code == 503
    assert "receipt" not in answer.text


async def test_receipt_narrative_contact_and_network_lie_nowhere(desk: Desk):
    told = await desk.report(narrative=NARRATIVE + " canary-narrative", contact="canary-contact")
    await desk.public("/messages", {"receipt": told["receipt"], "text": "canary-message"})
    plain = told["receipt"].replace("-", "")
    traces = [told["receipt"], plain, plain.lower(), NARRATIVE, "canary-narrative", "canary-contact", "canary-message", NETWORK]
    looked = 0
    for _place, content in left_in_files(desk.world.folder.parent):
        looked += len(content)
        assert not [trace for trace in traces if trace.encode() in content]
    with desk.world.database.connect() as connection:
        for table in ("breach_report", "breach_report_key", "breach_report_part", "access_log_entry", "idempotency"):
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):  # noqa: S608  # our own names
                cells = b"|".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
                assert not [trace for trace in traces if trace.encode() in cells]
                looked += 1
    assert looked > 10


async def test_what_is_no_receipt_costs_the_same_question_as_a_wrong_one(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    monkeypatch.setattr(tables, "of_receipt", lambda _deed, hashed: asked.append(len(hashed)))
    for receipt in WRONG:
        await desk.public("/status", {"receipt": receipt})
    assert asked == [32] * len(WRONG)


async def test_a_reference_is_never_given_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    drawn = iter([7, 7, 7, 8])
    monkeypatch.setattr(secrets, "randbelow", lambda _bound: next(drawn))
    assert [(await desk.report())["reference"] for _ in range(2)] == ["BR-2026-000007", "BR-2026-000008"]


async def test_the_routes_of_the_public_ask_for_no_credential_and_look_at_none(desk: Desk):
    told = await desk.report()
    answer = await desk.http.post(f"{PUBLIC}/status", json={"receipt": told["receipt"]}, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 200
    assert Public().label == "public"
