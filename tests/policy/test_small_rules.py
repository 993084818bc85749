"""What neither a case file nor a property is likely to meet, each met once: found by changing the code and seeing no test fail."""

import pytest

from tests.policy.strategies import CLASSES, LAWS, PURPOSES
from vault.policy.articles import article_6_1_in_force
from vault.policy.decide import decide, known_here
from vault.policy.events import SubjectsMerged
from vault.policy.facts import INTERNAL, Caller, Order, Person, Question, Rules, Standing
from vault.policy.needs import missing
from vault.policy.standing import apply

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
        ("copy", Caller(), "LAW_OK", "LAW_OK"),
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
