"""What the fold does that no case file can say: verification, merging of guardians and states, and facts of a person's life."""

from dataclasses import replace

import pytest

from vault.policy.articles import Matter
from vault.policy.decide import decide
from vault.policy.events import (
    Disclosed,
    Given,
    GuardianAppointed,
    GuardianshipEnded,
    Locked,
    NoticePublished,
    OrderIssued,
    Requested,
    Restricted,
    Signal,
    Stopped,
    SubjectDeceased,
    SubjectsMerged,
    Verified,
)
from vault.policy.facts import NEVER, SELF, Caller, Grant, Guardian, Order, Person, Purpose, Question, Rules, Standing, Stop, Supersession
from vault.policy.signers import authorised, in_office, may_speak, reaffirmed
from vault.policy.standing import apply, fold, merge, publish, replaced, verify

SHARE = Purpose("share", "disclose", frozenset({"written"}), article="6.2")
RULES = Rules({"share": SHARE}, frozenset({"R1"}), {"name": "identity"})
OFFICER = Caller(sees_reasons=True)


def grant(**over):
    told = {"id": "g", "form": "written", "fields": frozenset({"name"}), "notice": "n", "by": SELF, "indicated_at": 10, "recorded_at": 20}
    return Grant(**{**told, "usable_from": 20, **over})


def ask(person, at=100, rules=RULES):
    return decide(Question("disclose", "share", "R1", frozenset({"name"}), at), person, rules, OFFICER)


def given(person=None, **over):
    return apply(person or Person(), Given("share", "R1", grant(**over)))


def test_a_grant_is_usable_from_its_verification_and_not_before():
    person = apply(given(verified=False), Verified("share", "R1", "g", 50))
    assert ask(person, at=49).reason == "EVIDENCE_UNVERIFIED"
    assert ask(person, at=50).allowed


def test_verifying_one_grant_verifies_no_other():
    standing = verify(given(verified=False).standings["share|R1"], "another", 50)
    assert not standing.grants[0].verified


def test_verifying_what_was_never_granted_leaves_nobody_a_standing():
    assert apply(Person(), Verified("share", "R1", "g", 50)) == Person()


def test_verification_reaches_the_grant_of_a_merged_duplicate():
    merged = apply(given(id="a"), SubjectsMerged(given(id="b", verified=False), 30))
    assert ask(merged).reason == "EVIDENCE_UNVERIFIED"
    assert ask(apply(merged, Verified("share", "R1", "b", 40))).allowed


def test_a_request_and_a_disclosure_an_order_and_a_notice_change_nobody():
    person = given()
    order = Order("o", "judicial", "R1", frozenset({"name"}), 0, 10, verified=True)
    news = Supersession("n", material=True, reconsent_by=None, published_at=0)
    for event in (Requested("share", "R1", 30), Disclosed("share", "R1", 30), OrderIssued(order), NoticePublished(news)):
        assert apply(person, event) == person
    assert fold(Standing(), Requested("share", "R1", 30)) == Standing()


def test_a_restriction_and_a_lock_come_and_go():
    person = given()
    assert ask(apply(person, Restricted(30))).reason == "RESTRICTED"
    assert ask(apply(person, Locked(30))).reason == "ERASURE_PENDING"
    assert apply(apply(person, Restricted(30)), Restricted(40, on=False)) == person
    assert apply(apply(person, Locked(30)), Locked(40, on=False)) == person


def test_the_first_known_day_of_death_stays():
    assert apply(apply(Person(), SubjectDeceased(50)), SubjectDeceased(70)).deceased_at == 50
    assert apply(apply(Person(), SubjectDeceased(50)), SubjectDeceased(30)).deceased_at == 30


def test_a_guardian_recorded_anew_replaces_the_old_entry():
    person = apply(apply(Person(), GuardianAppointed(Guardian("G", "wali"))), GuardianAppointed(Guardian("G", "wali", verified=True)))
    assert person.guardians == (Guardian("G", "wali", verified=True),)


def test_an_end_for_cause_is_not_softened_by_a_later_plain_end():
    person = Person(guardians=(Guardian("G", "wali", verified=True), Guardian("H", "wali", verified=True)))
    person = apply(apply(person, GuardianshipEnded("G", 40, for_cause=True)), GuardianshipEnded("G", 60))
    assert (person.guardians[0].valid_to, person.guardians[0].removed_for_cause_at) == (40, 40)
    assert person.guardians[1].valid_to is None


def test_merging_keeps_the_stricter_of_two_entries_for_one_guardian():
    kept = Person(guardians=(Guardian("G", "wali", verified=True, valid_from=10), Guardian("H", "wasi")), full_capacity_from=500)
    absorbed = Person(
        guardians=(Guardian("G", "wali", valid_from=20, valid_to=90, removed_for_cause_at=90), Guardian("K", "carer")),
        full_capacity_from=700,
        interdicted=True,
        restricted=True,
        locked=True,
        deceased_at=80,
        stored_at=5,
    )
    merged = apply(kept, SubjectsMerged(absorbed, 95))
    assert merged.guardians == (
        Guardian("G", "wali", verified=False, valid_from=20, valid_to=90, removed_for_cause_at=90),
        Guardian("H", "wasi"),
        Guardian("K", "carer"),
    )
    assert (merged.full_capacity_from, merged.interdicted, merged.restricted, merged.locked) == (700, True, True, True)
    assert (merged.deceased_at, merged.stored_at) == (80, 5)


@pytest.mark.parametrize(
    ("kept", "absorbed", "ended"),
    [
        (Person(), Person(), None),
        (Person(opted_out_at=10, signal_ended_at=20), Person(), 20),
        (Person(opted_out_at=10, signal_ended_at=20), Person(opted_out_at=5), None),
        (Person(opted_out_at=10, signal_ended_at=20), Person(opted_out_at=5, signal_ended_at=15), 15),
        (Person(), Person(signal_ended_at=15), None),
    ],
)
def test_a_signal_is_gone_from_a_merged_visitor_only_when_gone_from_both(kept, absorbed, ended):
    assert apply(kept, SubjectsMerged(absorbed, 30)).signal_ended_at == ended


def test_three_sheets_of_one_person_must_all_say_yes():
    withdrawn = apply(given(id="c"), Stopped("share", "R1", Stop("withdraw", 30, 30)))
    two = apply(given(id="a"), SubjectsMerged(given(id="b"), 40))
    assert ask(two).grants == ("a", "b")
    three = apply(two, SubjectsMerged(apply(withdrawn, SubjectsMerged(given(id="d"), 35)), 45))
    assert len(three.standings["share|R1"].twins) == 3
    assert ask(three).reason == "CONSENT_WITHDRAWN"
    anew = apply(three, Given("share", "R1", grant(id="e", indicated_at=50, recorded_at=51, usable_from=51)))
    assert ask(anew).allowed


def test_a_clock_set_back_does_not_let_a_grant_survive_the_withdrawal_recorded_after_it():
    person = apply(given(recorded_at=60, usable_from=60), Stopped("share", "R1", Stop("withdraw", 58, 58)))
    assert ask(person).reason == "CONSENT_WITHDRAWN"


def test_the_newest_stop_stays_the_newest_when_an_older_one_arrives_late():
    person = apply(Person(), Stopped("share", "R1", Stop("invalidate", 60, 60)))
    person = apply(person, Stopped("share", "R1", Stop("refuse", 70, 40)))
    assert ask(person).reason == "CONSENT_INVALIDATED"
    assert person.standings["share|R1"].latest_stopped == 70


def test_publishing_adds_to_what_was_published_before():
    first = Supersession("n", material=False, reconsent_by=None, published_at=1, by="m")
    second = Supersession("n", material=True, reconsent_by=90, published_at=2, by="k")
    rules = publish(publish(RULES, NoticePublished(first)), NoticePublished(second, adds_recipient="R9"))
    assert rules.superseded == {"n": (first, second)}
    assert rules.recipients == {"R1", "R9"}


def test_notices_that_replace_each_other_in_a_ring_end_all_the_same():
    ring = {
        "n": (Supersession("n", material=False, reconsent_by=None, published_at=1, by="m"),),
        "m": (Supersession("m", material=False, reconsent_by=None, published_at=2, by="n"),),
    }
    assert ask(given(), rules=Rules(RULES.purposes, RULES.recipients, RULES.field_classes, ring)).allowed


def matter(person, at=100):
    return Matter(Question("disclose", "share", "R1", frozenset({"name"}), at), SHARE, person, RULES)


@pytest.mark.parametrize(
    ("person", "by_kind", "reason"),
    [
        (Person(full_capacity_from=500), {"kind": "wali"}, None),
        (Person(full_capacity_from=NEVER), {"kind": "carer"}, None),
        (Person(interdicted=True), {"kind": "custodian"}, None),
        (Person(), {"kind": "wali"}, "GUARDIANSHIP_UNVERIFIED"),
        (Person(), {"kind": "agent"}, None),
        (Person(full_capacity_from=500), {"kind": "wali", "verified": False}, "GUARDIANSHIP_UNVERIFIED"),
        (Person(full_capacity_from=500), {"kind": "wali", "valid_from": 11}, "GUARDIANSHIP_UNVERIFIED"),
        (Person(full_capacity_from=500), {"kind": "wali", "valid_from": 10}, None),
        (Person(full_capacity_from=500), {"kind": "wali", "valid_to": 10}, "GUARDIANSHIP_UNVERIFIED"),
        (Person(full_capacity_from=500), {"kind": "wali", "valid_to": 11}, None),
        (Person(full_capacity_from=500), {"kind": "wali", "valid_to": 5, "removed_for_cause_at": 5}, None),
    ],
)
def test_a_guardian_signs_for_a_ward_inside_the_verified_office(person, by_kind, reason):
    person = apply(person, GuardianAppointed(Guardian(**{"id": "G", "verified": True, **by_kind})))
    assert authorised(matter(person), grant(by="G")) == reason


@pytest.mark.parametrize(
    ("kind", "signed", "at", "reason"),
    [
        ("wali", 10, 49, None),
        ("wali", 10, 50, "REAFFIRMATION_REQUIRED"),
        ("wali", 60, 100, "REAFFIRMATION_REQUIRED"),
        ("agent", 10, 100, "REAFFIRMATION_REQUIRED"),
        ("agent", 50, 100, None),
    ],
)
def test_majority_ends_what_a_guardian_gave_and_not_what_an_agent_gave_since(kind, signed, at, reason):
    person = Person(guardians=(Guardian("G", kind, verified=True),), full_capacity_from=50)
    assert reaffirmed(matter(person, at), grant(by="G", indicated_at=signed)) == reason


def test_a_former_guardian_may_not_speak_and_the_person_always_may():
    person = Person(guardians=(Guardian("G", "wali", valid_to=40), Guardian("K", "agent"), Guardian("H", "wali")), full_capacity_from=50)
    assert [may_speak(person, by, 30) for by in (SELF, "G", "H", "K")] == [True, True, True, True]
    assert [may_speak(person, by, 45) for by in (SELF, "G", "H", "K")] == [True, False, True, True]
    assert [may_speak(person, by, 50) for by in (SELF, "G", "H", "K")] == [True, False, False, True]
    assert in_office(person, "nobody", 30)


def test_a_permit_under_a_guardian_ends_with_the_wards_majority():
    person = Person(guardians=(Guardian("G", "wali", verified=True),), full_capacity_from=130)
    assert ask(given(person, by="G")).valid_until == 130


def test_a_permit_ends_with_the_day_set_for_a_changed_notice():
    news = NoticePublished(Supersession("n", material=True, reconsent_by=140, published_at=90))
    assert ask(given(), rules=publish(RULES, news)).valid_until == 140


def test_a_standing_that_says_nothing_at_all_is_no_consent():
    assert ask(Person(standings={"share|R1": Standing(granted=True)})).reason == "RECIPIENT_NOT_COVERED"
    assert ask(Person(standings={"share|R1": Standing()})).reason == "NO_CONSENT"


def test_the_newest_signal_counts():
    person = apply(apply(Person(), Signal(10)), Signal(5))
    assert person.opted_out_at == 10
    assert apply(apply(person, Signal(20, opted_out=False)), Signal(15, opted_out=False)).signal_ended_at == 20


def test_merging_with_a_standing_that_says_nothing_keeps_the_one_that_does():
    spoken = given().standings["share|R1"]
    assert merge(spoken, Standing()) == merge(Standing(), spoken) == spoken


def test_an_import_finds_no_gap_where_consent_stands():
    person = apply(given(), Given("share", "R1", grant(id="i", imported=True), "import_grant"))
    assert [each.id for each in person.standings["share|R1"].grants] == ["g"]


@pytest.mark.parametrize(("recorded", "signed", "reason"), [(30, 40, "CONSENT_WITHDRAWN"), (31, 30, "STALE_GRANT"), (31, 31, "CONSENT_OK")])
def test_a_grant_folded_after_a_stop_must_be_later_in_both_orders(recorded, signed, reason):
    person = apply(Person(), Stopped("share", "R1", Stop("withdraw", 30, 30)))
    assert ask(given(person, recorded_at=recorded, usable_from=recorded, indicated_at=signed)).reason == reason


def live(*grants):
    person = Person()
    for number, over in enumerate(grants):
        told = {
            "id": f"g{number}",
            "form": "electronic",
            "indicated_at": 10 + number,
            "recorded_at": 20 + number,
            "usable_from": 20 + number,
        }
        person = given(person, **{**told, **over})
    return [each.id for each in person.standings["share|R1"].grants]


WIDE = frozenset({"name", "phone"})


@pytest.mark.parametrize(
    ("older", "newer", "left"),
    [
        ({}, {}, ["g1"]),
        ({}, {"fields": WIDE}, ["g1"]),
        ({}, {"explicit": True}, ["g1"]),
        ({"expires_at": 90}, {}, ["g1"]),
        ({"expires_at": 90}, {"expires_at": 90}, ["g1"]),
        ({"fields": WIDE}, {}, ["g0", "g1"]),
        ({"explicit": True}, {}, ["g0", "g1"]),
        ({}, {"expires_at": 90}, ["g0", "g1"]),
        ({"expires_at": 90}, {"expires_at": 89}, ["g0", "g1"]),
        ({}, {"form": "written"}, ["g0", "g1"]),
        ({}, {"notice": "m"}, ["g0", "g1"]),
        ({}, {"complete": False}, ["g0", "g1"]),
        ({}, {"confirmed": False}, ["g0", "g1"]),
        ({}, {"verified": False}, ["g0", "g1"]),
        ({"verified": False}, {"verified": False}, ["g0", "g1"]),
        ({}, {"indicated_at": 9}, ["g0", "g1"]),
        ({}, {"recorded_at": 19}, ["g0", "g1"]),
        ({}, {"usable_from": 50}, ["g0", "g1"]),
        ({"usable_from": 50}, {"usable_from": 50}, ["g1"]),
        ({}, {"by": "G"}, ["g0", "g1"]),
        ({"by": "G"}, {"by": "G"}, ["g0", "g1"]),
        ({"by": "G"}, {"by": "G", "indicated_at": 10}, ["g1"]),
    ],
)
def test_a_grant_is_kept_once_where_another_outlasts_it_in_every_respect(older, newer, left):
    assert live(older, newer) == left


def test_the_same_word_a_hundred_times_is_one_live_grant():
    assert live(*[{}] * 100) == ["g99"]


def test_what_was_replaced_is_told_from_what_was_stopped():
    old, new = grant(id="a", form="electronic"), grant(id="b", form="electronic", indicated_at=30, recorded_at=31, usable_from=31)
    both = apply(apply(Person(), Given("share", "R1", old)), Given("share", "R1", new)).standings["share|R1"]
    assert (replaced(both, old), replaced(both, new)) == (True, False)
    stopped = apply(apply(Person(), Given("share", "R1", old)), Stopped("share", "R1", Stop("withdraw", 25, 25)))
    assert not replaced(apply(stopped, Given("share", "R1", new)).standings["share|R1"], old)
    assert not replaced(Standing(), old)


def test_a_birth_date_told_later_gives_no_minors_word_back():
    minor = given(Person(full_capacity_from=500))
    assert ask(minor).reason == "NO_CAPACITY"
    for day in (None, 5, 10):
        assert ask(replace(minor, full_capacity_from=day)).reason == "NO_CAPACITY"
    assert ask(given(replace(minor, full_capacity_from=5), id="h", indicated_at=30, recorded_at=31, usable_from=31)).allowed


def test_a_birth_date_told_later_takes_a_word_away():
    assert ask(replace(given(), full_capacity_from=50)).reason == "NO_CAPACITY"


def test_the_majority_of_the_next_minutes_is_not_reached_by_a_date_ahead():
    early = given(Person(full_capacity_from=22), indicated_at=23, recorded_at=20)
    assert ask(early).reason == "NO_CAPACITY"


def test_capacity_is_settled_for_who_signs_for_herself_alone():
    ward = given(Person(full_capacity_from=500, guardians=(Guardian("G", "wali", verified=True),)), by="G")
    assert ward.standings["share|R1"].grants[0].capable
    assert ask(ward).allowed


def test_a_permit_rests_on_as_few_grants_as_it_needs_and_on_the_newest_of_equals():
    rules = Rules({"share": SHARE}, frozenset({"R1"}), {"name": "identity", "phone": "contact"})
    person = given(given(given(id="a"), id="b", fields=WIDE), id="c", recorded_at=21, expires_at=900)
    assert decide(Question("disclose", "share", "R1", WIDE, 100), person, rules, OFFICER).grants == ("b",)
    assert decide(Question("disclose", "share", "R1", frozenset({"name"}), 100), person, rules, OFFICER).grants == ("c",)
    apart = given(given(id="a"), id="b", fields=frozenset({"phone"}))
    assert decide(Question("disclose", "share", "R1", WIDE, 100), apart, rules, OFFICER).grants == ("a", "b")
