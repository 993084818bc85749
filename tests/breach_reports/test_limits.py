"""Much at once is put aside and not lost; only the disk's sake turns anybody away, and then the other channels are named."""

import pytest

from tests.breach_reports.desk import NARRATIVE, PUBLIC, Desk
from vault.breach_reports import limits
from vault.breach_reports.intake import Told
from vault.breach_reports.limits import LEAST_FREE, IntakeFull
from vault.breach_reports.reports import Knock

pytestmark = pytest.mark.asyncio(loop_scope="function")
TOLD = Told("other", NARRATIVE, "ar")


async def bring(desk: Desk, network: str) -> str:
    """One report from this network: its reference."""
    return (await desk.reports.receive(desk.world.association, TOLD, Knock(network, desk.world.clock.now, "r"))).reference


async def states(desk: Desk) -> dict[str, str]:
    """The doubt of every report by reference."""
    found: dict[str, str] = {}
    for state in ("", "?state=quarantined&limit=500"):
        listed = (await desk.as_("officer", "GET", state or "?limit=500")).json()["items"]
        found |= {each["reference"]: each["doubt"] or "" for each in listed}
    return found


async def test_a_flood_from_one_network_is_put_aside_and_others_are_heard(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "NETWORK_REFUSED", ("report-network-refused", 30, 60))
    flood, people = [], []
    for number in range(40):
        if number < 30:
            flood.append(await bring(desk, "203.0.113.9"))
        else:
            with pytest.raises(IntakeFull) as full:
                await bring(desk, "203.0.113.9")
            assert full.value.retry_after == 60
        if number % 10 == 0:
            people.append(await bring(desk, f"198.51.100.{number}") if number else await bring(desk, "2001:db8::1"))
    told = await states(desk)
    assert [told[each] for each in people] == [""] * 4, "all of them, outside quarantine"
    assert [told[each] for each in flood] == [""] * 10 + ["network"] * 20
    assert desk.findings() == []


async def test_many_from_everywhere_are_put_aside_and_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "ASSOCIATION", ("report-association", 3, 1))
    monkeypatch.setattr(limits, "QUARANTINE", ("report-quarantine", 2, 1))
    made = [await bring(desk, f"203.0.{number}.1") for number in range(5)]
    made += [await bring(desk, "203.0.99.1") for _ in range(3)]
    with pytest.raises(IntakeFull):
        await bring(desk, "203.0.99.1")
    told = await states(desk)
    assert [told[each] for each in made] == ["", "", "", *["association"] * 5]


async def test_no_flood_of_others_turns_away_the_first_reports_of_a_network_on_any_day(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "ASSOCIATION", ("report-association", 1, 1))
    monkeypatch.setattr(limits, "QUARANTINE", ("report-quarantine", 1, 1))
    flood = "203.0.113.1"
    for taken in (5, 5):
        for _ in range(taken):
            await bring(desk, flood)
        with pytest.raises(IntakeFull):
            await bring(desk, flood)
        page = await desk.http.post("/probe/report", data={"category": "other", "narrative": NARRATIVE})
        assert page.status_code == 201, "a network that brought nothing is heard"
        for _ in range(3):
            assert await bring(desk, "198.51.100.1")
        desk.world.clock.forward(86_400)


async def test_a_site_of_ipv6_has_the_first_reports_of_a_few_networks_and_not_of_all_it_numbers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "ASSOCIATION", ("report-association", 0, 1))
    monkeypatch.setattr(limits, "QUARANTINE", ("report-quarantine", 0, 1))
    monkeypatch.setattr(limits, "FIRST", ("report-first", 1, 0))
    taken = 0
    for number in range(12):
        try:
            await bring(desk, f"2001:db8:1:{number:x}::1")
            taken += 1
        except IntakeFull:
            continue
    assert taken == 8
    assert await bring(desk, "2001:db8:2::1")
    assert await bring(desk, "198.51.100.1")


async def test_what_nobody_has_looked_at_has_an_end_and_looking_makes_room(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MOST_LYING", 2)
    made = [await bring(desk, f"203.0.{number}.1") for number in range(4)]
    assert list((await states(desk)).values()).count("association") == 2, "beyond the first two they lie in quarantine"
    answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar"}, accept_language="en")
    assert (answer.status_code, answer.json()["code"]) == (429, "intake-full")
    assert "documented e-mail" in answer.json()["say"]
    page = await desk.http.post("/probe/report?lang=en", data={"category": "other", "narrative": NARRATIVE})
    assert (page.status_code, NARRATIVE in page.text) == (429, True), "what was typed is not lost"
    assert len(await states(desk)) == 4, "what was taken is kept"
    await desk.as_("officer", "POST", f"/{await desk.id_of(made[0])}/acknowledgement")
    assert (await desk.report())["receipt"]
    assert desk.findings() == []


async def test_officers_are_told_how_many_lie_in_quarantine_and_once_an_hour_that_honest_reports_may_be_among_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "ASSOCIATION", ("report-association", 2, 0))
    monkeypatch.setattr(limits, "MOST_LYING", 5)

    def alarms() -> list[tuple[str | None, str]]:
        return [(one.reason, one.actor) for one in desk.world.entries() if one.kind == "alarm"]

    for number in range(2):
        await bring(desk, f"203.0.{number}.1")
    assert alarms() == []
    for number in range(3):
        await bring(desk, f"203.0.10{number}.1")
    assert alarms() == [("REPORTS_ASIDE", "reporter")]
    listed = (await desk.as_("officer", "GET", "?limit=1")).json()
    assert (len(listed["items"]), listed["quarantined"]) == (1, 3)
    desk.world.clock.forward(3600)
    for number in range(2):
        await bring(desk, f"203.0.20{number}.1")
    for _ in range(2):
        with pytest.raises(IntakeFull):
            await bring(desk, "203.0.250.1")
    assert alarms() == [("REPORTS_ASIDE", "reporter")] * 2 + [("INTAKE_FULL", "reporter")]


async def test_the_sentence_of_a_full_intake_blames_nobodys_network(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "NETWORK_REFUSED", ("report-network-refused", 0, 60))
    body = {"category": "other", "narrative": NARRATIVE, "language": "ar"}
    for language, word in (("en", "network"), ("ar", "شبكتك")):
        answer = await desk.public("", body, accept_language=language)
        assert (answer.status_code, answer.json()["code"]) == (429, "intake-full")
        assert word not in answer.json()["say"]


async def test_quarantine_looks_like_success_and_an_officer_takes_a_report_out(desk: Desk):
    made = [await desk.report() for _ in range(11)]
    assert all(each.keys() == {"reference", "receipt"} for each in made)
    seen = await desk.public("/status", {"receipt": made[-1]["receipt"]})
    assert seen.json()["state"] == "received"
    assert made[-1]["reference"] not in [each["reference"] for each in (await desk.as_("officer", "GET", "")).json()["items"]]
    id_ = await desk.id_of(made[-1]["reference"], "quarantined")
    assert (await desk.as_("officer", "POST", f"/{id_}/acknowledgement")).json()["state"] == "acknowledged"
    assert await desk.id_of(made[-1]["reference"]) == id_


async def test_a_disk_that_is_nearly_full_pauses_intake_and_names_the_other_ways(desk: Desk):
    desk.free[0] = LEAST_FREE - 1
    answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar"}, accept_language="en")
    assert (answer.status_code, answer.json()["code"]) == (503, "intake-paused")
    assert "documented e-mail" in answer.json()["say"]
    page = await desk.http.post("/probe/report?lang=en", data={"category": "other", "narrative": NARRATIVE})
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "documented e-mail" in page.text
    assert NARRATIVE in page.text, "what was typed is not lost"
    desk.free[0] = LEAST_FREE
    assert (await desk.report())["receipt"]


async def test_a_form_posted_by_another_site_is_looked_at_apart(desk: Desk):
    answer = await desk.public("", {"category": "other", "narrative": NARRATIVE, "language": "ar"}, sec_fetch_site="cross-site")
    assert answer.status_code == 201
    assert (await states(desk))[answer.json()["reference"]] == "elsewhere"


async def test_the_real_disk_is_asked(desk: Desk):
    assert limits.Intake(desk.world.limits, desk.world.clock)._free(desk.world.folder) > 0


HOSTILE = [
    (b"[" * 1000 + b"]" * 1000, "application/json", 400),
    (b"[" * 4_000, "application/json", 400),
    (b'{"category":"other","category":"other"}', "application/json", 400),
    (b'{"narrative":"a\\u0000"}', "application/json", 400),
    (b'{"narrative":"\\ud800"}', "application/json", 400),
    (b"<report/>", "application/xml", 415),
    (b"{}", "text/plain", 415),
    (b"x" * (10 * 1024 * 1024), "application/json", 413),
    (b'{"category":{"a":1},"narrative":[],"language":7}', "application/json", 422),
]


@pytest.mark.parametrize(("content", "kind", "status"), HOSTILE, ids=lambda each: str(each)[:24])
async def test_no_body_breaks_the_public_door(desk: Desk, content: bytes, kind: str, status: int):
    for path in ("", "/status", "/messages"):
        answer = await desk.http.post(PUBLIC + path, content=content, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await desk.report())["receipt"], "the next one is served"
