"""Two sheets of one person, merged: every word said after the merge reaches what the absorbed sheet brought (promise 4)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.policy.test_standing import OFFICER, RULES, WIDE, ask, given, grant
from vault.policy.decide import decide
from vault.policy.events import Given, Stopped, SubjectsMerged
from vault.policy.facts import Guardian, Person, Question, Rules, Stop, Word
from vault.policy.standing import apply, told_capacity

NAME_AND_PHONE = Rules(RULES.purposes, RULES.recipients, {"name": "identity", "phone": "contact"})


def merged(*absorbed):
    """Who kept the grant "a", with everybody given absorbed one after another."""
    person = given(id="a")
    for each in absorbed:
        person = apply(person, SubjectsMerged(each, 30))
    return person


def twins(person):
    return person.standings["share|R1"].twins


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("withdraw", "CONSENT_WITHDRAWN"), ("refuse", "CONSENT_REFUSED"), ("invalidate", "CONSENT_INVALIDATED")],
)
def test_a_stop_after_a_merge_ends_what_the_absorbed_sheet_brought(kind, reason):
    two = merged(given(id="b"))
    assert ask(two).grants == ("a", "b")
    stop = Stop(kind, 40, 41)
    stopped = apply(two, Stopped("share", "R1", stop))
    assert ask(stopped).reason == reason
    assert [(each.grants, each.newest_stop, each.latest_stopped) for each in twins(stopped)] == [((), stop, 40)]


def test_consent_after_that_stop_rests_on_no_paper_from_before_it():
    stopped = apply(merged(given(id="b"), given(id="c")), Stopped("share", "R1", Stop("withdraw", 40, 41)))
    anew = given(stopped, id="e", indicated_at=50, recorded_at=51, usable_from=51)
    assert ask(anew).grants == ("e",)
    assert [[one.id for one in each.grants] for each in twins(anew)] == [["e"], ["e"]]


def test_an_old_paper_after_that_stop_revives_neither_sheet():
    stopped = apply(merged(given(id="b")), Stopped("share", "R1", Stop("withdraw", 40, 41)))
    late = given(stopped, id="old", indicated_at=40, recorded_at=60, usable_from=60)
    assert ask(late).reason == "STALE_GRANT"
    assert [(each.grants, each.stale) for each in twins(late)] == [((), True)]
    again = apply(late, Stopped("share", "R1", Stop("withdraw", 70, 70)))
    assert ask(again).reason == "CONSENT_WITHDRAWN"
    assert [each.stale for each in (again.standings["share|R1"], *twins(again))] == [False, False]


def test_a_stop_after_a_merge_ends_the_wider_fields_of_the_absorbed_sheet_too():
    two = merged(given(id="b", fields=WIDE))
    stopped = apply(two, Stopped("share", "R1", Stop("withdraw", 40, 41)))
    anew = apply(stopped, Given("share", "R1", grant(id="e", fields=frozenset({"phone"}), indicated_at=50, recorded_at=51, usable_from=51)))
    verdict = decide(Question("disclose", "share", "R1", WIDE, 100), anew, NAME_AND_PHONE, OFFICER)
    assert (verdict.reason, verdict.fields) == ("FIELDS_NOT_COVERED", frozenset({"phone"}))


def test_the_sheets_absorbed_earlier_lie_side_by_side_and_none_twice():
    absorbed = apply(given(id="b"), SubjectsMerged(given(id="c"), 25))
    three = merged(absorbed)
    assert [[one.id for one in each.grants] for each in twins(three)] == [["b"], ["c"]]
    assert [each.twins for each in twins(three)] == [(), ()]


def test_a_birth_date_told_after_a_merge_takes_the_absorbed_sheets_word_for_good():
    two = apply(given(id="a", indicated_at=60, recorded_at=61, usable_from=61), SubjectsMerged(given(id="b"), 70))
    assert ask(two).allowed
    minor = told_capacity(two, 50)
    assert minor.full_capacity_from == 50
    assert [[one.capable for one in each.grants] for each in (minor.standings["share|R1"], *twins(minor))] == [[True], [False]]
    assert ask(told_capacity(minor, 5)).reason == "NO_CAPACITY"


def known(name, day):
    """A person of whom nothing but this day is known."""
    told: dict[str, Any] = {name: day}
    return Person(**told)


@pytest.mark.parametrize("name", ["full_capacity_from", "deceased_at", "stored_at", "opted_out_at"])
def test_what_one_sheet_alone_knew_is_known_after_the_merge_whichever_was_kept(name):
    told = known(name, 500)
    assert getattr(apply(told, SubjectsMerged(Person(), 30)), name) == 500
    assert getattr(apply(Person(), SubjectsMerged(told, 30)), name) == 500


@pytest.mark.parametrize(("name", "kept"), [("full_capacity_from", 700), ("deceased_at", 500), ("stored_at", 500), ("opted_out_at", 700)])
def test_of_two_days_the_merge_keeps_the_stricter_whichever_was_kept(name, kept):
    early, late = known(name, 500), known(name, 700)
    assert getattr(apply(early, SubjectsMerged(late, 30)), name) == kept
    assert getattr(apply(late, SubjectsMerged(early, 30)), name) == kept


@pytest.mark.parametrize("name", ["valid_to", "removed_for_cause_at"])
def test_a_guardians_end_known_to_one_sheet_alone_holds_whichever_was_kept(name):
    going_on = Guardian("G", "wali")
    change: dict[str, Any] = {name: 90}
    ended = replace(going_on, **change)
    for kept, absorbed in ((ended, going_on), (going_on, ended)):
        person = apply(Person(guardians=(kept,)), SubjectsMerged(Person(guardians=(absorbed,)), 95))
        assert [getattr(each, name) for each in person.guardians] == [90]


def test_an_invalidation_is_the_associations_and_no_guardians_word():
    ward = Person(guardians=(Guardian("G", "wali", verified=True), Guardian("H", "wali", verified=True)), full_capacity_from=500)
    person = apply(given(ward, by="G"), Stopped("share", "R1", Stop("refuse", 30, 30), by="H"))
    person = apply(person, Stopped("share", "R1", Stop("invalidate", 40, 40), by="G"))
    assert person.standings["share|R1"].words == (Word("G", "grant"), Word("H", "refuse"))
    assert ask(person).reason == "GUARDIAN_CONFLICT"


def test_who_merely_lacked_capacity_is_told_so_in_so_many_words():
    # The sheet is written from these facts: no value but true and false stands in it.
    assert given(Person(full_capacity_from=500)).standings["share|R1"].grants[0].capable is False
    assert apply(given(), Stopped("share", "R1", Stop("withdraw", 30, 30))).standings["share|R1"].stale is False


def test_consent_to_another_recipient_of_the_purpose_is_told_apart_whatever_stands_in_its_name():
    person = apply(Person(), Given("share", "R2|branch", grant()))
    assert ask(person).reason == "RECIPIENT_NOT_COVERED"
