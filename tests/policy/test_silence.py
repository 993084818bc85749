"""What a withdrawn number ends in somebody else's standing: all until then, nothing after, and in both orders."""

from vault.policy.facts import Grant, Person, Standing, Stop
from vault.policy.silence import silenced


def given(recorded: int, signed: int | None = None) -> Grant:
    return Grant(
        str(recorded), "electronic", frozenset({"mobile"}), "n:1", "self", recorded if signed is None else signed, recorded, recorded
    )


def test_what_was_recorded_or_signed_until_then_is_ended_and_what_came_after_stands():
    kept = Standing(grants=(given(5), given(10), given(12, 9), given(13)), granted=True)
    after = silenced(Person(standings={"sms|INTERNAL": kept}), "sms", 10).standings["sms|INTERNAL"]
    assert [one.id for one in after.grants] == ["13"]
    assert (after.newest_stop, after.granted) == (Stop("withdraw", 10, 10), True)


def test_a_newer_stop_of_her_own_stays_and_an_older_one_gives_way():
    for own, left in ((Stop("refuse", 11, 11), Stop("refuse", 11, 11)), (Stop("refuse", 10, 10), Stop("withdraw", 10, 10))):
        after = silenced(Person(standings={"sms|INTERNAL": Standing(newest_stop=own)}), "sms", 10)
        assert after.standings["sms|INTERNAL"].newest_stop == left


def test_other_purposes_are_left_alone_and_a_merged_duplicate_is_not():
    twin = Standing(grants=(given(3),))
    person = Person(standings={"sms|INTERNAL": Standing(twins=(twin,)), "sms_offers|INTERNAL": twin})
    after = silenced(person, "sms", 10)
    assert after.standings["sms|INTERNAL"].twins[0].grants == ()
    assert after.standings["sms_offers|INTERNAL"] == twin
