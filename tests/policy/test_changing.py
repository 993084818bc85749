"""What a change of pack does to purposes and to consents that stand, by the functions that decide."""

from dataclasses import replace

import pytest

from vault.policy import pack as packs
from vault.policy.changing import met, opens, shut, touched
from vault.policy.facts import INTERNAL, Grant, Person, Purpose, Rules, Standing, key
from vault.policy.narrowing import within
from vault.policy.pack import PackRefused, Source

NOW = 1_000
USE = Purpose("service", "use", frozenset({"written", "electronic"}))
CLASSES = {"name": "identity", "mobile": "contact", "illness": "health"}
MAY = Grant("g", "electronic", frozenset({"name", "mobile"}), "n:1", "self", 1, 1, 1)
NAME = key("service", INTERNAL)


def rules(purpose: Purpose = USE, *, unconfirmed: bool = False) -> Rules:
    return Rules({purpose.code: purpose}, frozenset(), CLASSES, unconfirmed=unconfirmed)


def person(*grants: Grant) -> Person:
    return Person({NAME: Standing(grants, granted=True)})


def test_what_still_opens_the_same_is_not_touched():
    assert opens(person(MAY), NAME, rules(), NOW) == {"name", "mobile"}
    assert touched(person(MAY), NAME, rules(), rules(replace(USE, proof="vault")), NOW) is None


@pytest.mark.parametrize(
    ("after", "effect"),
    [
        (replace(USE, forms=frozenset({"written"})), "insufficient"),
        (replace(USE, action="disclose", forms=frozenset({"written"})), "insufficient"),
        (shut(USE), "insufficient"),
        (replace(USE, classes=frozenset({"identity", "health"})), "narrower"),
        (replace(USE, double_opt_in=True), None),
    ],
)
def test_what_a_consent_opens_less_of_is_told(after: Purpose, effect: str | None):
    assert touched(person(MAY), NAME, rules(), rules(after), NOW) == effect


def test_what_a_consent_opens_that_it_did_not_is_told_first():
    spoken = person(replace(MAY, form="verbal"))
    assert touched(spoken, NAME, rules(), rules(replace(USE, forms=USE.forms | {"verbal"})), NOW) == "wider"
    bounded = replace(USE, classes=frozenset({"identity"}))
    assert touched(person(MAY), NAME, rules(bounded), rules(), NOW) == "wider"
    moved = replace(USE, classes=frozenset({"contact"}))
    assert touched(person(MAY), NAME, rules(bounded), rules(moved), NOW) == "wider"


def test_a_purpose_or_person_that_opens_nothing_now_is_not_touched():
    assert touched(person(), NAME, rules(), rules(shut(USE)), NOW) is None
    assert touched(Person(), NAME, rules(), rules(shut(USE)), NOW) is None
    assert touched(person(replace(MAY, expires_at=NOW)), NAME, rules(), rules(shut(USE)), NOW) is None
    assert opens(person(MAY), key("other", INTERNAL), rules(), NOW) == frozenset()
    assert touched(replace(person(MAY), locked=True), NAME, rules(), rules(shut(USE)), NOW) is None


def test_a_restore_nobody_has_confirmed_is_no_matter_of_the_pack():
    offers = replace(USE, action="contact", channel="sms")
    assert opens(person(MAY), NAME, rules(offers, unconfirmed=True), NOW) == {"name", "mobile"}
    assert touched(person(MAY), NAME, rules(offers), rules(replace(offers, channel="email")), NOW) == "insufficient"


def test_what_was_narrowed_here_stays_narrow_under_another_pack():
    own = replace(USE, forms=frozenset({"written"}), internal_only=True, classes=frozenset({"identity", "contact"}))
    laid = replace(USE, double_opt_in=True, honours_gpc=True, proof="vault", article="2", law="5")
    made = met(own, laid)
    assert within(made, laid)
    assert made == replace(laid, forms=frozenset({"written"}), internal_only=True, classes=own.classes)
    assert met(laid, replace(own, article="3")) == replace(own, double_opt_in=True, honours_gpc=True, proof="vault", article="3")
    assert met(own, replace(USE, classes=frozenset({"identity", "health"}))).classes == frozenset({"identity"})
    assert met(USE, USE) == USE


@pytest.mark.parametrize("other", [replace(USE, action="publish"), replace(USE, basis="order", forms=frozenset())])
def test_what_became_another_thing_is_shut(other: Purpose):
    assert met(USE, other) == shut(other)


def test_a_channel_of_ones_own_stays_only_where_the_pack_has_it():
    contact = replace(USE, action="contact", channel="sms")
    assert met(contact, contact).channel == "sms"
    # Nobody is reached by a channel that one of the two does not mean.
    assert met(replace(contact, channel="email"), contact).channel == ""
    publish = replace(USE, action="publish")
    website = replace(publish, channel="website")
    assert met(website, publish) == met(publish, website) == website
    assert met(replace(publish, channel="print"), website) == shut(website)


def test_words_have_one_hash_and_are_read_as_they_were():
    words = packs.shipped("health")
    assert words.below == packs.shipped("cooperative").own
    assert packs.kept(words) == packs.load("health")
    assert packs.kept(packs.shipped("cooperative")) == packs.load("cooperative")
    assert len({words.sha256, packs.shipped("cooperative").sha256, Source(words.own).sha256, Source("", words.own).sha256}) == 4
    with pytest.raises(PackRefused):
        packs.source("= =")
    with pytest.raises(PackRefused):
        packs.shipped("no-such")


def test_a_pack_that_was_approved_is_read_over_the_pack_below_as_it_was_then_and_a_floor_that_rose_lets_it_stand():
    words = packs.shipped("health")
    below = words.below.replace("breach_to_authority_hours = 72", "breach_to_authority_hours = 96")
    stood = packs.kept(Source(words.own.replace("vital_interest = false", "vital_interest = true"), below))
    assert (stood.reply["breach_to_authority_hours"], stood.switches.vital_interest) == (96, True)
    with pytest.raises(PackRefused, match="longer-than-law"):
        packs.lint(below)
