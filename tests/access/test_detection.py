"""Each detection rule fires on what it is for and on nothing beside it: entries in, findings out."""

from typing import Any

import pytest

from tests.simulator import START
from vault.access import detection
from vault.access.alert_words import SENTENCES, say
from vault.access.detection import DAY, HOUR, MINUTE, DetectionFact, Finding, Watch, is_working_time
from vault.access_log.entry import RELEASES, SHOWINGS, About, Entry, Stored
from vault.web.times import moment, parse_time

CLERK, SYSTEM = "staff:aa", "client:bb"
WORK = parse_time("2026-01-04T07:00:00Z")
"""A Sunday, ten in the morning in Riyadh."""


def person(number: int) -> About:
    return About(number.to_bytes(16, "big"), (1000 + number).to_bytes(16, "big"))


class Log:
    """Entries one after another before the rules."""

    def __init__(self, **rules: Any) -> None:
        self.watch = Watch(DetectionFact(**rules))
        self.number = 0
        self.found: list[Finding] = []

    def add(self, kind: str = "record.read", *people: int, at: int = WORK, hand: str = CLERK, **said: Any) -> None:
        entry = Entry(kind=kind, actor=hand, about=tuple(person(one) for one in people), **{"outcome": "allow", **said})
        self.found += self.watch.see(self.number, Stored(entry, at, bytes(16), "w", 0))
        self.number += 1

    @property
    def rules(self) -> list[str]:
        return [one.rule for one in self.found]


def test_an_ordinary_day_at_work_fires_nothing():
    log = Log()
    log.add("record.stored", 1)
    log.add("consent.granted", 1)
    for _ in range(200):
        log.add("record.read", 1)
    log.add("record.search", 1)
    log.add("decision", 1, outcome="refuse", reason="NO_CONSENT")
    log.add("session.opened", at=WORK + 12 * HOUR)
    assert log.found == []


def test_every_kind_of_entry_that_gives_something_of_a_person_is_watched():
    assert (RELEASES | SHOWINGS) - {
        "breach_report.read",
        "breach_report.file-read",
        "incident.read",
        "incident.exported",
        # An order's paper is nobody's.
        "order.scan-read",
    } <= detection.TOUCHES | {detection.STUDIED}
    for kind in ("attachment.read", "consent.read", "consent.receipt", "consent.proof"):
        log = Log(people_an_hour=3)
        for one in range(4):
            log.add(kind, one)
        assert log.rules == ["bulk"], kind


def test_more_people_in_one_hour_than_the_threshold_fire_once_and_name_the_newest_entries():
    log = Log(people_an_hour=30)
    for one in range(30):
        log.add("record.read", one)
        log.add("record.read", one)
    assert log.found == []
    log.add("record.read", 30)
    log.add("record.read", 31)
    assert log.found == [Finding("bulk", CLERK, tuple(range(22, 61, 2)), 30)]
    assert len(log.found[0].indexes) == detection.MOST_INDEXES


def test_a_study_counts_for_each_person_it_looked_at_and_for_nobody_it_left_out():
    log = Log(people_an_hour=1, people_an_hour_systems=2, canaries=(("00" * 16, person(9).subject.hex()),))
    for one in range(2):
        log.add("research", one, hand=SYSTEM)
    log.add("research", *range(2, 10), hand=SYSTEM, outcome="refuse", reason="NO_CONSENT")
    assert log.found == [], "of those without consent nothing was opened, a canary among them"
    log.add("research", 2, hand=SYSTEM)
    log.add("research", 9, hand=SYSTEM)
    log.add("research", 9, hand=SYSTEM)
    assert log.found == [Finding("bulk", SYSTEM, (0, 1, 3), 2), Finding("canary", SYSTEM, (4,))]


def test_a_study_at_somebodys_screen_counts_for_her_and_at_night_and_not_as_a_look_after_a_withdrawal():
    log = Log(people_an_hour=1, people_an_hour_systems=9)
    log.add("consent.withdrawn", 0, 1)
    log.add("research", 0, hand=SYSTEM, on_behalf=CLERK)
    log.add("research", 1, hand=SYSTEM, on_behalf=CLERK)
    assert log.found == [Finding("bulk", CLERK, (1, 2), 1)]
    log.add("research", 0, hand=SYSTEM, on_behalf=CLERK, outcome="refuse", at=WORK + 12 * HOUR)
    assert log.rules == ["bulk"]
    log.add("research", 0, hand=SYSTEM, on_behalf=CLERK, at=WORK + 12 * HOUR)
    assert log.found[1:] == [Finding("off_hours", CLERK, (4,))]


def test_as_many_people_over_two_hours_or_by_two_hands_or_by_a_system_fire_nothing():
    log = Log(people_an_hour=2)
    for one in range(4):
        log.add("record.read", one, at=WORK + (one // 2) * HOUR)
    for one in range(4):
        log.add("record.read", one, hand=f"staff:{one // 2}")
        log.add("record.read", one, hand=SYSTEM)
    assert log.found == []


def test_a_system_has_a_threshold_of_its_own_and_a_person_at_the_screen_is_a_person():
    log = Log(people_an_hour=1, people_an_hour_systems=2)
    log.add("record.read", 1, 2, 3, hand=SYSTEM)
    log.add("record.read", 1, 2, hand=SYSTEM, on_behalf=CLERK)
    assert log.found == [Finding("bulk", SYSTEM, (0,), 2), Finding("bulk", CLERK, (1,), 1)]


def test_more_searches_in_ten_minutes_that_tell_of_nobody_than_the_threshold_fire_once():
    log = Log(misses=3)
    for one in range(6):
        log.add("record.search", request=f"q{one}", at=WORK + one)
    assert log.found == [Finding("enumeration", CLERK, (0, 1, 2, 3), 3)]
    systems = Log(misses=1, misses_systems=2)
    for one in range(3):
        systems.add("record.search", request=f"q{one}", hand=SYSTEM)
    assert systems.found == [Finding("enumeration", SYSTEM, (0, 1, 2), 2)]


def test_searches_that_tell_of_somebody_or_are_few_or_leave_two_entries_are_no_enumeration():
    log = Log(misses=2)
    for one in range(9):
        log.add("record.search", 1, request=f"a{one}")
        log.add("record.search", 2, request=f"a{one}", outcome="refuse", reason="NO_CONSENT")
    for one in range(2):
        log.add("record.search", 2, request=f"b{one}", outcome="refuse", reason="NO_CONSENT")
        log.add("record.search", 3, request=f"b{one}", outcome="refuse", reason="CONSENT_EXPIRED")
        log.add("record.search", request=f"b{one}", flags=("suggested",))
    for one in range(2):
        log.add("record.search", at=WORK + 10 * MINUTE + one)
        log.add("record.read")
    assert log.found == []


@pytest.mark.parametrize(
    ("time", "works"),
    [
        ("2026-01-04T04:00:00Z", True),  # Sunday 07:00
        ("2026-01-04T03:59:59Z", False),
        ("2026-01-08T14:59:59Z", True),  # Thursday 17:59
        ("2026-01-08T15:00:00Z", False),
        ("2026-01-09T07:00:00Z", False),  # Friday
        ("2026-01-10T07:00:00Z", False),  # Saturday
        ("2026-01-10T21:30:00Z", False),  # Sunday 00:30 in Riyadh
        ("2026-01-06T07:00:00Z", False),  # a holiday
    ],
)
def test_the_week_is_sunday_to_thursday_by_the_clock_of_riyadh(time: str, works: bool):
    assert is_working_time(DetectionFact(holidays=("2026-01-06",)), moment(parse_time(time))) is works
    log = Log(holidays=("2026-01-06",))
    log.add("record.read", 1, at=parse_time(time))
    assert log.rules == ([] if works else ["off_hours"])


def test_off_hours_tell_of_a_person_once_an_hour_and_of_no_system():
    log = Log()
    night = WORK + 12 * HOUR
    log.add("record.read", 1, at=night, hand=SYSTEM)
    assert log.found == []
    for minutes in (0, 10, 59, 60):
        log.add("record.read", 1, at=night + minutes * MINUTE)
    assert log.found == [Finding("off_hours", CLERK, (1,)), Finding("off_hours", CLERK, (4,))]


def test_other_days_and_hours_can_be_declared():
    log = Log(days=("friday",), opens=0, closes=24)
    log.add("record.read", 1, at=parse_time("2026-01-09T20:59:59Z"))
    assert log.found == []
    log.add("record.read", 1, at=parse_time("2026-01-09T21:00:00Z"))
    assert log.rules == ["off_hours"]


def test_who_asks_about_somebody_within_a_day_of_her_withdrawal_is_told_of_once():
    log = Log()
    log.add("consent.withdrawn", 1, 2, hand=SYSTEM)
    log.add("record.read", 3)
    log.add("record.read", 1, outcome="refuse", reason="CONSENT_WITHDRAWN", at=WORK + MINUTE)
    log.add("record.read", 1, at=WORK + MINUTE)
    log.add("decision", 1, at=WORK + DAY - 1, hand=SYSTEM)
    assert log.found == [Finding("after_withdrawal", CLERK, (0, 2), 24), Finding("after_withdrawal", SYSTEM, (0, 4), 24)]


def test_before_a_withdrawal_a_day_after_it_or_where_none_was_taken_nothing_fires():
    log = Log()
    log.add("record.read", 1)
    log.add("consent.withdrawn", 1, outcome="refuse")
    log.add("record.read", 1)
    log.add("consent.withdrawn", 1)
    log.add("record.read", 1, at=WORK + DAY)
    log.add("consent.withdrawn", 2, at=WORK + DAY)
    log.add("record.read", 1, at=WORK + DAY)
    assert log.found == []


@pytest.mark.parametrize(
    "said", [{"kind": "access.break_glass"}, {"kind": "record.read", "flags": ("break-glass",)}, {"reason": "BREAK_GLASS"}]
)
def test_every_opening_by_the_emergency_procedure_fires(said: dict[str, Any]):
    log = Log()
    for _ in range(2):
        log.add(said.get("kind", "record.read"), 1, **{name: value for name, value in said.items() if name != "kind"})
    assert log.found == [Finding("break_glass", CLERK, (0,)), Finding("break_glass", CLERK, (1,))]


def test_who_tries_to_open_with_wrong_codes_is_told_of_once_an_hour():
    log = Log()
    for minute in range(70):
        log.add("access.break_glass", 1, outcome="refuse", reason="STEP_UP_REQUIRED", at=WORK + minute * MINUTE)
    log.add("access.break_glass", 1, outcome="refuse", reason="STEP_UP_REQUIRED", hand="staff:cc")
    log.add("access.break_glass", 1)
    assert log.found == [Finding("break_glass", hand, (at,)) for hand, at in ((CLERK, 0), (CLERK, 60), ("staff:cc", 70), (CLERK, 71))]


def test_what_a_client_does_for_many_at_its_screen_is_counted_for_the_client_as_well():
    log = Log(people_an_hour=2, people_an_hour_systems=3, misses=1, misses_systems=2)
    for one in range(4):
        log.add("record.read", one, hand=SYSTEM, on_behalf=f"staff:{one}")
    for one in range(3):
        log.add("record.search", request=f"q{one}", hand=SYSTEM, on_behalf=f"staff:{one}")
    assert log.found == [Finding("bulk", SYSTEM, (0, 1, 2, 3), 3), Finding("enumeration", SYSTEM, (4, 5, 6), 2)]


def test_each_clock_of_an_incident_or_a_report_that_rings_fires_with_its_hours():
    log = Log()
    for hours in (24, 48):
        log.add("incident.clock", 1, hand="system", outcome="error", count=hours)
    log.add("incident.opened", 1)
    log.add("breach_report.clock", 1, hand="system", outcome="error", count=720)
    log.add("breach_report.clock", 1, hand="system", outcome="error", count=60, reason="AUTHORITY_60")
    rang = [Finding("breach_clock", "system", (0,), 24), Finding("breach_clock", "system", (1,), 48)]
    assert log.found == [*rang, Finding("report_clock", "system", (3,), 720), Finding("breach_clock", "system", (4,), 60)]


def test_an_opening_by_the_usual_way_is_no_break_glass():
    log = Log()
    log.add("record.read", 1, flags=("ceremony",), reason="NO_CONSENT", outcome="refuse")
    assert log.found == []


def test_whatever_touches_a_canary_fires_once_an_hour_and_hand():
    pair = ((1001).to_bytes(16, "big").hex(), person(1).subject.hex())
    log = Log(canaries=(pair,))
    for kind in ("record.stored", "access_report.read"):
        log.add(kind, 1)
    log.add("record.read", 2)
    assert log.found == []
    for kind in ("record.search", "record.read", "decision"):
        log.add(kind, 2, 1)
    log.add("decision", 1, hand=SYSTEM, outcome="refuse")
    log.add("record.read", 1, at=WORK + HOUR)
    assert log.found == [Finding("canary", CLERK, (3,)), Finding("canary", SYSTEM, (6,)), Finding("canary", CLERK, (7,))]


def test_every_rule_is_explained_in_both_languages_with_its_threshold():
    known = {"bulk", "enumeration", "off_hours", "after_withdrawal", "break_glass", "canary", "questions", "breach_clock", "report_clock"}
    assert set(SENTENCES) == known
    for rule in SENTENCES:
        told = say(rule, 17)
        assert set(told) == {"ar", "en"}
        assert any("\u0600" <= letter <= "\u06ff" for letter in told["ar"])
        numbered = {"bulk", "enumeration", "after_withdrawal", "questions", "breach_clock", "report_clock"}
        assert ("17" in told["ar"]) == ("17" in told["en"]) == (rule in numbered)
        assert "{" not in told["ar"] + told["en"]


def test_the_clock_of_these_tests_begins_off_hours():
    assert not is_working_time(DetectionFact(), moment(START))


RIYADH_MIDNIGHT = parse_time("2026-01-04T21:00:00Z")


def test_the_eleventh_question_about_one_person_in_a_day_of_riyadh_fires_whoever_asks():
    log = Log()
    for number in range(10):
        log.add("record.asked", 1, at=WORK + number * HOUR, hand=f"client:{number:02x}", outcome="refuse" if number % 2 else "allow")
    assert log.rules == []
    log.add("record.asked", 1, at=RIYADH_MIDNIGHT - 1, hand="client:ff")
    [found] = log.found
    assert (found.rule, found.hand, found.indexes, found.limit) == ("questions", "client:ff", tuple(range(11)), 10)
    log.add("record.asked", 1, at=RIYADH_MIDNIGHT - 1, hand="client:ff")
    assert log.rules == ["questions"], "once a day"


def test_ten_questions_about_each_of_many_and_ten_on_each_side_of_midnight_fire_nothing():
    log = Log()
    for one in range(20):
        for _ in range(10):
            log.add("record.asked", one, hand=SYSTEM)
    for _ in range(10):
        log.add("record.asked", 77, at=RIYADH_MIDNIGHT - 1, hand=SYSTEM)
    for _ in range(10):
        log.add("record.asked", 77, at=RIYADH_MIDNIGHT, hand=SYSTEM)
    for _ in range(20):
        log.add("record.read", 77, at=RIYADH_MIDNIGHT, hand=SYSTEM)
    assert log.rules == []
