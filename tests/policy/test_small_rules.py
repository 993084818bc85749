"""What neither a case file nor a property is likely to meet, each met once: found by changing the code and seeing no test fail."""

import pytest

from tests.policy.strategies import CLASSES, LAWS, PURPOSES
from vault.policy.articles import article_6_1_in_force
from vault.policy.decide import CONFIDED, SHELF_LIFE, decide, known_here, masked
from vault.policy.events import Given, Signal, SubjectsMerged
from vault.policy.facts import INTERNAL, SELF, Caller, Grant, Guardian, Order, Person, Purpose, Question, Rules, Standing, Stop, Verdict
from vault.policy.needs import missing
from vault.policy.signers import in_office
from vault.policy.standing import apply, outlasts, replaced

LAID = Rules({**PURPOSES, **LAWS}, frozenset({"R1"}), CLASSES)


def test_a_merged_visitor_has_opted_out_if_either_of_the_two_has():
    out = Person(opted_out_at=5)
    for kept, absorbed in ((out, Person()), (Person(), out), (out, Person(opted_out_at=3))):
        assert apply(kept, SubjectsMerged(absorbed, 9)).opted_out_at == 5


def test_where_nobody_said_anything_there_is_no_consent():
    assert article_6_1_in_force(Standing()) == "NO_CONSENT"


def test_a_permit_by_order_names_the_order():
    order = Order("o7", "regulatory", "R1", frozenset({"name"}), 0, 10, verified=True)
    verdict = decide(Question("disclose", "order", "R1", frozenset({"name"}), 5), Person(), LAID, Caller(may_ask_orders=True), [order])
    assert (verdict.reason, verdict.order, verdict.basis, verdict.valid_until) == ("ORDER_OK", "o7", "regulatory_order", 10)


@pytest.mark.parametrize(
    ("purpose", "caller", "here", "asked"),
    [
        ("intake", Caller(), "LAW_OK", "OUT_OF_SCOPE"),
        ("intake", Caller(purposes=frozenset({"serve"})), "OUT_OF_SCOPE", "OUT_OF_SCOPE"),
        ("intake", Caller(only_assigned=True), "LAW_OK", "NOT_ASSIGNED"),
        ("copy", Caller(), "LAW_OK", "LAW_OK"),
        ("copy", Caller(only_assigned=True), "NOT_ASSIGNED", "NOT_ASSIGNED"),
        ("serve", Caller(), "NO_CONSENT", "NO_CONSENT"),
        ("unheard_of", Caller(), "UNKNOWN_PURPOSE", "UNKNOWN_PURPOSE"),
    ],
)
def test_that_somebody_is_here_is_told_under_intake_whoever_stored_her_and_else_as_the_question_is_answered(purpose, caller, here, asked):
    question = Question("use", purpose, INTERNAL, frozenset({"name"}), 5)
    stranger = Person(stored_at=None)
    assert known_here(question, stranger, LAID, caller).reason == here
    assert decide(question, stranger, LAID, caller).reason == asked


def test_what_is_missing_under_a_purpose_nobody_laid_down_is_a_consent_of_no_form():
    assert missing(Question("use", "unheard_of", INTERNAL, frozenset({"name"}), 5), LAID, "NO_CONSENT") == ("consent",)


ANY_FORM = Purpose("any", "use", frozenset({"written", "electronic", "verbal"}), honours_gpc=True)
SHOWN = Purpose("shown", "disclose", frozenset({"written", "electronic"}))
LOOSE = Rules({"any": ANY_FORM, "shown": SHOWN}, frozenset({"R1"}), {"name": "identity", "phone": "contact"})


def paper(**over):
    told = {"id": "g", "form": "electronic", "fields": frozenset({"name"}), "notice": "n", "by": SELF}
    return Grant(**{**told, "indicated_at": 10, "recorded_at": 20, "usable_from": 20, **over})


def asked(person, *grants, action="use", purpose="any", at=100):
    for each in grants:
        person = apply(person, Given(purpose, INTERNAL, each))
    return decide(Question(action, purpose, INTERNAL, frozenset({"name"}), at), person, LOOSE, Caller())


def test_a_guardians_office_ends_with_the_very_moment_it_is_said_to_end():
    person = Person(guardians=(Guardian("G", "wali", valid_to=40),))
    assert [in_office(person, "G", at) for at in (39, 40, 41)] == [True, False, False]


def test_what_is_laid_down_as_disclosure_needs_writing_even_in_the_house():
    assert asked(Person(), paper(), action="disclose", purpose="shown").reason == "EVIDENCE_INSUFFICIENT"
    assert asked(Person(), paper(form="written"), action="disclose", purpose="shown").basis == "written_consent"


@pytest.mark.parametrize(
    ("forms", "basis", "used"),
    [
        (["verbal"], "agreement", ("g0",)),
        (["electronic"], "electronic_consent", ("g0",)),
        (["written", "electronic"], "written_consent", ("g0",)),
        (["electronic", "written", "verbal"], "written_consent", ("g1",)),
    ],
)
def test_a_permit_names_the_form_it_rests_on_and_rests_on_writing_where_that_is_enough(forms, basis, used):
    verdict = asked(Person(), *[paper(id=f"g{number}", form=form) for number, form in enumerate(forms)])
    assert (verdict.basis, verdict.grants) == (basis, used)


@pytest.mark.parametrize(
    ("recorded", "signed", "reason"),
    [(21, 20, "SIGNAL_OPT_OUT"), (20, 21, "SIGNAL_OPT_OUT"), (20, 20, "SIGNAL_OPT_OUT"), (21, 21, "CONSENT_OK")],
)
def test_after_a_signal_consent_must_be_later_than_its_end_in_both_orders(recorded, signed, reason):
    person = apply(apply(Person(), Signal(10)), Signal(20, opted_out=False))
    assert asked(person, paper(indicated_at=signed, recorded_at=recorded, usable_from=recorded)).reason == reason


def test_a_majority_reached_this_moment_is_no_end_ahead():
    ward = Person(guardians=(Guardian("G", "custodian", verified=True),), full_capacity_from=100, interdicted=True)
    verdict = asked(ward, paper(by="G"))
    assert (verdict.allowed, verdict.valid_until) == (True, 100 + SHELF_LIFE)


def refusal(reason):
    return Verdict(
        allowed=False, reason=reason, article="a:4", law="", basis="none", fields=frozenset({"name"}), missing=("order-naming-fields",)
    )


@pytest.mark.parametrize("reason", sorted(CONFIDED))
def test_a_confided_reason_is_told_without_any_field_but_to_officers(reason):
    told = masked(refusal(reason), Caller())
    assert (told.reason, told.fields, told.missing) == ("NOT_PERMITTED", frozenset(), ())
    assert masked(refusal(reason), Caller(sees_reasons=True)) == refusal(reason)


@pytest.mark.parametrize("reason", sorted(CONFIDED))
def test_who_asks_for_orders_hears_what_is_wrong_with_one_and_nothing_else(reason):
    of_orders = {"NO_ORDER", "ORDER_RECIPIENT", "ORDER_UNVERIFIED", "ORDER_EXPIRED", "ORDER_SCOPE"}
    heard = masked(refusal(reason), Caller(may_ask_orders=True))
    assert (heard == refusal(reason)) == (reason in of_orders)


@pytest.mark.parametrize(
    ("purpose", "recipient", "word"),
    [
        ("any", INTERNAL, "written-or-verbal-or-electronic-consent"),
        ("any", "R1", "written-consent-naming-recipient"),
        ("shown", INTERNAL, "written-consent-naming-recipient"),
        ("shown", "R1", "written-consent-naming-recipient"),
        ("unheard_of", "R1", "written-consent-naming-recipient"),
    ],
)
def test_what_is_missing_for_whatever_leaves_is_writing_that_names_the_recipient(purpose, recipient, word):
    assert missing(Question("use", purpose, recipient, frozenset({"name"}), 5), LOOSE, "NO_CONSENT") == (word,)


@pytest.mark.parametrize(
    ("over", "holds"),
    [
        ({"recorded_at": 20, "usable_from": 20, "indicated_at": 10}, True),
        ({"recorded_at": 20, "usable_from": 20, "indicated_at": 11}, True),
        ({"recorded_at": 20, "usable_from": 20, "indicated_at": 9}, False),
        ({"recorded_at": 19, "usable_from": 19, "indicated_at": 10}, False),
    ],
)
def test_of_two_grants_of_one_moment_either_outlasts_the_other(over, holds):
    assert outlasts(paper(id="h", **over), paper()) == holds


@pytest.mark.parametrize(
    ("stopped_at", "signed", "holds"),
    [(19, 9, True), (20, 9, False), (21, 9, False), (19, 10, False), (19, 11, False), (20, 10, False)],
)
def test_what_a_stop_of_the_same_moment_ended_was_not_replaced(stopped_at, signed, holds):
    live = paper(id="h", indicated_at=30, recorded_at=31, usable_from=31)
    standing = Standing(grants=(live,), newest_stop=Stop("withdraw", signed, stopped_at), latest_stopped=signed)
    assert replaced(standing, paper()) == holds
