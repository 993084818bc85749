"""What a withdrawn number ends in somebody else's standing: all until then, nothing after, and in both orders."""

from vault.policy.facts import Grant, Person, Standing, Stop
from vault.policy.silence import Silence, silenced


def given(recorded: int, signed: int | None = None) -> Grant:
    return Grant(
        str(recorded), "electronic", frozenset({"mobile"}), "n:1", "self", recorded if signed is None else signed, recorded, recorded
    )


def test_what_was_recorded_or_signed_until_then_is_ended_and_what_came_after_stands():
    kept = Standing(grants=(given(5), given(10), given(12, 9), given(13)), granted=True)
    after = silenced(Person(standings={"sms|INTERNAL": kept}), "sms", Silence(10, 10)).standings["sms|INTERNAL"]
    assert [one.id for one in after.grants] == ["13"]
    assert (after.newest_stop, after.granted) == (Stop("withdraw", 10, 10), True)


def test_a_newer_stop_of_her_own_stays_and_an_older_one_gives_way():
    for own, left in ((Stop("refuse", 11, 11), Stop("refuse", 11, 11)), (Stop("refuse", 10, 10), Stop("withdraw", 10, 10))):
        after = silenced(Person(standings={"sms|INTERNAL": Standing(newest_stop=own)}), "sms", Silence(10, 10))
        assert after.standings["sms|INTERNAL"].newest_stop == left


def test_other_purposes_are_left_alone_and_a_merged_duplicate_is_not():
    twin = Standing(grants=(given(3),))
    person = Person(standings={"sms|INTERNAL": Standing(twins=(twin,)), "sms_offers|INTERNAL": twin})
    after = silenced(person, "sms", Silence(10, 10))
    assert after.standings["sms|INTERNAL"].twins[0].grants == ()
    assert after.standings["sms_offers|INTERNAL"] == twin


def test_a_no_that_was_said_before_it_was_recorded_ends_by_both_moments():
    kept = Standing(grants=(given(9), given(11, 4), given(12, 5), given(13, 8)), newest_stop=Stop("refuse", 2, 2))
    after = silenced(Person(standings={"sms|INTERNAL": kept}), "sms", Silence(10, 5)).standings["sms|INTERNAL"]
    assert [one.id for one in after.grants] == ["13"]
    assert after.newest_stop == Stop("withdraw", 5, 10)
