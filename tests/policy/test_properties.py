"""What holds for every history and every question: the promises of DESIGN 1 that `policy` keeps alone."""

from dataclasses import replace
from functools import reduce
from unittest.mock import patch

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.policy.strategies import (
    PURPOSES,
    agreements,
    apt_questions,
    blank_people,
    callers,
    events,
    grants,
    orders,
    people,
    questions,
    repeated_grants,
    rules,
    seldom,
    sound_grants,
    states,
    stopped,
    stories,
)
from vault.policy import standing as folding
from vault.policy.decide import CODES, CONFIDED, SHELF_LIFE, decide, masked
from vault.policy.events import Given, Stopped, SubjectsMerged
from vault.policy.facts import NEVER, SELF, Caller, Person, Standing, key
from vault.policy.standing import apply, blank, merge, told_capacity

OFFICER = Caller(may_ask_orders=True, sees_reasons=True)
many = settings(max_examples=200, deadline=None)


def told(person, history):
    return reduce(apply, history, person)


@many
@given(questions, people, rules, callers, orders)
def test_every_well_typed_question_gets_a_verdict(question, person, laid, caller, issued):
    verdict = decide(question, person, laid, caller, issued)
    event(verdict.reason)
    assert verdict.reason in CODES
    assert verdict.allowed == verdict.reason.endswith("_OK")
    assert (verdict.basis == "none") == (not verdict.allowed)
    assert verdict.article.startswith(f"{laid.pack}:")
    assert verdict.fields <= question.fields
    assert verdict.allowed or verdict.reason in ("FIELDS_NOT_COVERED", "ORDER_SCOPE") or not verdict.fields
    assert (verdict.valid_until is not None) == verdict.allowed
    assert masked(verdict, caller).reason not in CONFIDED or caller.sees_reasons or caller.may_ask_orders


@many
@given(apt_questions, blank_people, st.lists(states, max_size=2), rules)
def test_without_consent_and_without_order_nothing_is_allowed(question, person, happened, laid):
    assert not decide(question, told(person, happened), laid, OFFICER).allowed


@many
@given(stories())
def test_a_permit_names_a_grant_or_an_order_that_covers_every_field(story):
    question, person, history, laid, issued = story
    after = told(person, history)
    verdict = decide(question, after, laid, OFFICER, issued)
    event(verdict.reason)
    if not verdict.allowed:
        return
    assert verdict.fields == question.fields
    assert question.at < verdict.valid_until <= question.at + SHELF_LIFE
    if PURPOSES[question.purpose].basis == "order":
        assert any(order.id == verdict.order and question.fields <= order.fields and order.verified for order in issued)
        return
    standing = after.standings[key(question.purpose, question.recipient)]
    named = [grant for grant in standing.grants if grant.id in verdict.grants and grant.recorded_at <= question.at]
    assert question.fields <= frozenset().union(*(grant.fields for grant in named))


@many
@given(stories(), st.integers(0, 6), stopped)
def test_adding_a_withdrawal_anywhere_never_turns_a_no_into_a_yes(story, place, said):
    question, person, history, laid, _ = story
    withdrawal = replace(said, purpose=question.purpose, recipient=question.recipient, stop=replace(said.stop, kind="withdraw"))
    without, with_it = told(person, history), told(person, [*history[:place], withdrawal, *history[place:]])
    before, after = (decide(question, each, laid, OFFICER) for each in (without, with_it))
    event(f"{before.allowed} {after.allowed}")
    assert before.allowed or not after.allowed


@many
@given(stories(), stopped)
def test_after_a_stop_nothing_is_allowed_whatever_date_it_bears(story, stop):
    question, person, history, laid, _ = story
    last = replace(stop, purpose=question.purpose, recipient=question.recipient)
    assert not decide(question, told(person, [*history, last]), laid, OFFICER).allowed


@many
@given(apt_questions, blank_people, st.lists(sound_grants, max_size=4), rules)
def test_an_electronic_consent_never_opens_a_disclosure_nor_reaches_a_third_party(question, person, given_grants, laid):
    history = [Given(question.purpose, question.recipient, replace(grant, form="electronic", verified=True)) for grant in given_grants]
    verdict = decide(question, told(person, history), laid, OFFICER)
    event(verdict.reason)
    assert not (verdict.allowed and (question.action == "disclose" or question.recipient != "INTERNAL"))


@many
@given(stories())
def test_what_is_allowed_for_many_fields_is_allowed_for_each(story):
    question, person, history, laid, issued = story
    after = told(person, history)
    if decide(question, after, laid, OFFICER, issued).allowed:
        for name in question.fields:
            assert decide(replace(question, fields=frozenset({name})), after, laid, OFFICER, issued).allowed


@many
@given(stories())
def test_the_covered_part_of_a_refusal_is_allowed_when_asked_alone(story):
    question, person, history, laid, issued = story
    after = told(person, history)
    verdict = decide(question, after, laid, OFFICER, issued)
    if verdict.reason in ("FIELDS_NOT_COVERED", "ORDER_SCOPE") and verdict.fields:
        assert decide(replace(question, fields=verdict.fields), after, laid, OFFICER, issued).allowed


@many
@given(stories(), st.integers(0, 6))
def test_a_merged_person_is_allowed_nothing_that_either_of_the_two_was_refused(story, cut):
    question, _, history, laid, _ = story
    spoken = [each for each in history if isinstance(each, Given | Stopped)]
    kept, absorbed = told(Person(), spoken[:cut]), told(Person(), spoken[cut:])
    merged = apply(kept, SubjectsMerged(absorbed, 12))
    allowed = decide(question, merged, laid, OFFICER).allowed
    event(f"{allowed} {bool(merged.standings.get(key(question.purpose, question.recipient), Standing()).twins)}")
    if allowed and PURPOSES[question.purpose].basis == "consent":
        name = key(question.purpose, question.recipient)
        heard = [person for person in (kept, absorbed) if not blank(person.standings.get(name, Standing()))]
        assert heard
        assert all(decide(question, person, laid, OFFICER).allowed for person in heard)


@many
@given(blank_people, grants, stopped)
def test_at_one_instant_the_stop_wins_whichever_was_inserted_first(person, grant, stop):
    given_first = Given(stop.purpose, stop.recipient, replace(grant, recorded_at=stop.stop.recorded_at))
    name = key(stop.purpose, stop.recipient)
    for history in ([given_first, stop], [stop, given_first]):
        assert told(person, history).standings[name].grants == ()


@many
@given(blank_people, st.lists(st.one_of(events, states), max_size=8))
def test_folding_the_same_history_again_gives_the_same_person(person, history):
    assert told(person, history) == told(person, list(history))


@many
@given(blank_people, st.lists(events, max_size=8))
def test_merging_with_nobody_changes_no_standing(person, history):
    before = told(person, history)
    assert apply(before, SubjectsMerged(Person(), 1)).standings == before.standings
    assert all(merge(Standing(), each) == each == merge(each, Standing()) for each in before.standings.values())


@settings(max_examples=500, deadline=None)
@given(repeated_grants(), seldom(Person(), Person(full_capacity_from=2)), seldom(None, 0, 1, 2, NEVER), rules, seldom(False, True))
def test_a_grant_that_another_outlasts_is_missed_by_no_later_question(story, person, told_later, laid, merges):
    question, history = story
    extra = [SubjectsMerged(told(Person(), history[:2]), 7)] if merges else []
    kept = told(person, [*history, *extra])
    with patch.object(folding, "outlasts", lambda _newer, _older: False):
        whole = told(person, [*history, *extra])
    # Her day of majority may be told anew after all of it.
    later = [each if told_later is None else told_capacity(each, told_later) for each in (kept, whole)]
    verdicts = [decide(question, each, laid, OFFICER) for each in later]
    sizes = [sum(len(each.grants) for each in one.standings.values()) for one in (kept, whole)]
    event(f"allowed {verdicts[1].allowed}, fewer kept {sizes[0] < sizes[1]}")
    assert (verdicts[0].allowed, verdicts[0].reason, verdicts[0].fields) == (verdicts[1].allowed, verdicts[1].reason, verdicts[1].fields)


def spoken_herself(happened):
    return replace(happened, grant=replace(happened.grant, by=SELF)) if isinstance(happened, Given) else happened


@settings(max_examples=500, deadline=None)
@given(stories(), st.lists(st.integers(0, 13) | st.just(NEVER), min_size=1, max_size=6), st.sampled_from([*range(7)]), st.booleans())
def test_no_sequence_of_birth_dates_ever_gives_a_word_of_hers_back(story, days, cut, merges):
    question, person, history, laid, _ = story
    hers = [spoken_herself(each) for each in history]
    after = told(person, hers)
    if merges:
        after = apply(told(person, hers[:cut]), SubjectsMerged(told(Person(), hers[cut:]), 12))
    allowed = [decide(question, after, laid, OFFICER).allowed]
    for day in days:
        after = told_capacity(after, day)
        allowed.append(decide(question, after, laid, OFFICER).allowed)
    event(f"yes at first {allowed[0]}, no at last {not allowed[-1]}")
    assert allowed == sorted(allowed, reverse=True)


@many
@given(stories(), st.integers(0, 13), st.integers(0, 13))
def test_a_merge_that_makes_her_a_minor_is_not_undone_by_a_birth_date(story, hers, told_later):
    question, _, history, laid, _ = story
    after = apply(told(Person(), [spoken_herself(each) for each in history]), SubjectsMerged(Person(full_capacity_from=hers), 12))
    if not decide(question, after, laid, OFFICER).allowed:
        assert not decide(question, told_capacity(after, told_later), laid, OFFICER).allowed


@many
@given(stories())
def test_a_permit_names_no_grant_that_it_could_do_without(story):
    question, person, history, laid, _ = story
    after = told(person, history)
    verdict = decide(question, after, laid, OFFICER)
    name = key(question.purpose, question.recipient)
    event(str(len(verdict.grants)))
    assert len(verdict.grants) <= len(question.fields) * (1 + len(after.standings.get(name, Standing()).twins))


@many
@given(stories(), agreements)
def test_an_agreement_only_lets_through_what_a_disclosure_would_release_and_without_one_nothing_passes(story, agreed):
    question, person, history, laid, issued = story
    after, system = told(person, history), Caller(party="R1", may_ask_orders=True, sees_reasons=True)
    with_it = decide(question, after, replace(laid, agreements={"R1": (agreed,)}), system, issued)
    without = decide(question, after, replace(laid, agreements={}), system, issued)
    event(f"{with_it.reason} {without.reason}")
    assert not without.allowed or without.reason == "ORDER_OK"
    if with_it.allowed:
        assert decide(question, after, laid, OFFICER, issued).allowed
        assert with_it.agreement == (None if with_it.reason == "ORDER_OK" else agreed.id)
        assert with_it.reason == "ORDER_OK" or question.at < with_it.valid_until <= agreed.valid_to
