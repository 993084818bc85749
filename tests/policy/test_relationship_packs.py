"""The packs of the relationship policies lie over the privacy articles: they add and narrow, and never widen."""

import re
from dataclasses import replace
from importlib import resources

import pytest

from vault.policy.decide import decide
from vault.policy.events import Given
from vault.policy.facts import INTERNAL, SELF, Caller, Grant, Person, Question, Rules
from vault.policy.narrowing import type_within, within
from vault.policy.pack import PARTS, PackRefused, lint, load, names, parse, together
from vault.policy.standing import apply

BASE = load("cooperative")
OVER = [name for name in names() if load(name).extends]
HEAD = """extends = "cooperative"
name = "own"
version = "1"
effective_from = "2026-01-01"
source = "own"
title = { ar = "سياسة", en = "Policy" }
"""


@pytest.mark.parametrize("name", OVER)
def test_a_relationship_pack_keeps_every_article_purpose_and_field_of_the_privacy_articles(name):
    pack = load(name)
    assert (pack.kind, pack.law, pack.extends) == ("association", "sa-pdpl", "cooperative")
    assert pack.articles.items() >= BASE.articles.items()
    assert pack.purposes.keys() > BASE.purposes.keys()
    assert all(within(pack.purposes[code], purpose) for code, purpose in BASE.purposes.items())
    assert all(type_within(laid, pack.record_types[code]) for code, laid in BASE.record_types.items())
    assert {"application", "survey"} <= pack.record_types.keys()
    assert set(pack.report_categories) == set(BASE.report_categories)


@pytest.mark.parametrize("name", OVER)
def test_each_number_of_a_field_is_one_fields_in_all_packs(name):
    known: dict[int, str] = {}
    for pack in (BASE, load(name)):
        for shape in pack.record_types.values():
            for field in shape.fields.values():
                assert known.setdefault(field.id, field.name) == field.name


@pytest.mark.parametrize("name", OVER)
def test_its_notices_have_eleven_parts_in_both_languages_and_are_of_a_length_one_reads(name):
    pack = load(name)
    assert set(pack.notices) == {code for code, each in pack.purposes.items() if each.basis == "consent"}
    for code in pack.notices.keys() - BASE.notices.keys():
        notice = pack.notices[code]
        assert set(notice.parts) == set(PARTS)
        assert 120 <= len(notice.text.ar.split()) <= 200, code
        assert re.search(r"[A-Za-z]", notice.text.ar) is None
        assert re.search(r"[\u0600-\u06ff]", notice.text.en) is None


def test_the_least_time_of_a_decision_is_what_each_policy_says():
    told = {name: load(name).reply["service_decision_min_days"] for name in OVER}
    assert told == {"orphan-care": 14, "health": 14, "family-empowerment": 7, "capacity-building": 0}
    assert all(load(name).reply["rights_request_days"] == 30 for name in OVER)


@pytest.mark.parametrize("name", ["cooperative", *OVER])
def test_the_telephone_captures_a_spoken_word_and_nothing_else(name):
    channels = load(name).channels
    assert channels["phone"].forms == {"verbal"}
    assert all(channel.forms for channel in channels.values())
    assert all("implied" not in channel.forms for channel in channels.values()) == (name != "capacity-building")


def test_each_policy_has_its_own_channels():
    assert {name: len(load(name).channels) for name in OVER} == {
        "orphan-care": 8,
        "health": 8,
        "family-empowerment": 6,
        "capacity-building": 7,
    }
    assert "social_researcher" in load("orphan-care").channels
    assert "branch_delegate" in load("health").channels
    assert "aid_request" not in load("family-empowerment").channels


def test_where_health_or_parentage_is_kept_a_click_needs_the_vaults_own_challenge():
    assert {name for name in OVER if load(name).purposes["service_delivery"].proof == "vault"} == {"orphan-care", "health"}


def test_implied_agreement_serves_a_programmes_instructions_and_nothing_else():
    implied = {(name, code) for name in names() for code, each in load(name).purposes.items() if "implied" in each.forms}
    assert implied == {("capacity-building", "programme_instructions")}
    pack = load("capacity-building")
    purpose = pack.purposes["programme_instructions"]
    assert (purpose.internal_only, purpose.classes, purpose.article, purpose.law) == (True, frozenset({"identity", "contact"}), "5-7", "6")
    rules = Rules(
        purposes=together(pack),
        recipients=frozenset({"partner"}),
        field_classes={field: each.class_name for shape in pack.record_types.values() for field, each in shape.fields.items()},
        pack=pack.name,
    )
    fields = frozenset({"full_name", "mobile", "health_note"})
    person = Person()
    for code in pack.purposes:
        person = apply(person, Given(code, INTERNAL, Grant(code, "implied", fields, "n", SELF, 1, 1, 1, explicit=True)))
    for code, each in together(pack).items():
        asked = Question(each.action, code, INTERNAL, frozenset({"full_name"}), 5)
        verdict = decide(asked, person, rules, Caller())
        assert verdict.allowed == (code == "programme_instructions" or (each.basis == "law" and each.within_hours is None)), code
    agreed = decide(Question("use", "programme_instructions", INTERNAL, frozenset({"mobile"}), 5), person, rules, Caller())
    assert (agreed.reason, agreed.basis, agreed.article) == ("CONSENT_OK", "agreement", "capacity-building:5-7")
    sensitive = decide(Question("use", "programme_instructions", INTERNAL, frozenset({"health_note"}), 5), person, rules, Caller())
    assert sensitive.reason == "FIELDS_NOT_COVERED"


@pytest.mark.parametrize(
    ("added", "path", "code"),
    [
        ("", "", ""),
        ("lenient = true", "lenient", "unknown"),
        ('articles."6.2" = { ar = "لا بأس", en = "as you like" }', "articles.6.2", "laid-down-already"),
        ('purposes.partner_sharing.forms = ["written", "electronic"]', "purposes.partner_sharing", "wider-than-base"),
        ("purposes.internal_research.internal_only = false", "purposes.internal_research", "wider-than-base"),
        ('purposes.publication.forms = ["written"]', "", ""),
        ("switches.sale = true", "switches", "wider-than-base"),
        ("switches.vital_interest = true", "switches", "wider-than-base"),
        ('switches.sharing = "order_only"', "", ""),
        ('record_types.beneficiary.fields.iban = { id = 12, kind = "text", class = "identity", ar = "ا", en = "i" }',
         "record_types.beneficiary.fields.iban", "laid-down-already"),
        ('record_types.donor.fields.nickname = { id = 90, kind = "text", class = "identity", ar = "ا", en = "i" }', "", ""),
        ("articles = 3", "articles", "wrong-type"),
        ("purposes.publication = 3", "purposes.publication", "wrong-type"),
        ('channels.fax = { ar = "فاكس", en = "fax", forms = ["drum"] }', "channels.fax.forms", "unknown-word"),
        ('purposes.publication.proof = "hearsay"', "purposes.publication.proof", "unknown-word"),
        ("review.record_months = 0", "review.record_months", "out-of-range"),
        ('articles.9 = { ar = "اتصلوا على 0551234567", en = "call" }', "articles.9.ar", "contact-data"),
        ('law = "sa-pdpl"', "", ""),
        ("record_types.beneficiary.either = []", "record_types.beneficiary", "wider-than-base"),
        ("record_types.beneficiary.id = 99", "record_types.beneficiary", "wider-than-base"),
        ('channels.phone = { ar = "هاتف", en = "phone", forms = ["verbal", "written"] }', "channels.phone", "wider-than-base"),
        ('channels.phone = { ar = "هاتف", en = "phone", forms = ["verbal", "implied"] }', "", ""),
        ("review.policy_months = 13", "review.policy_months", "wider-than-base"),
        ("review.record_months = 13", "review.record_months", "wider-than-base"),
        ("retention.beneficiary = 61", "retention.beneficiary", "wider-than-base"),
        ("retention.beneficiary = 59", "", ""),
        ("reply.rights_request_days = 31", "reply.rights_request_days", "wider-than-base"),
        ("reply.service_decision_min_days = 30", "", ""),
        ('record_types.donor.fields.health_note = { id = 17, kind = "text", class = "identity", ar = "ا", en = "i" }',
         "record_types.donor.fields.health_note", "number-twice"),
        ('articles.9 = { ar = "راسلونا", en = "write to a@b.example" }', "articles.9.en", "contact-data"),
    ],
)  # fmt: skip
def test_a_pack_laid_over_another_adds_and_narrows_and_is_refused_where_it_widens(added, path, code):
    text = f"{HEAD}{added}\n"
    if not code:
        assert lint(text).extends == "cooperative"
        return
    with pytest.raises(PackRefused) as refused:
        lint(text)
    assert (refused.value.path, refused.value.code) == (path, code)


def test_orders_alone_stay_orders_alone_above():
    text = f'{HEAD}switches.sharing = "order_only"\n'
    assert [code for code, each in lint(text).purposes.items() if each.action == "disclose"] == ["legal_order"]


def test_what_is_shut_below_to_all_but_orders_is_not_opened_above():
    strict = resources.files("vault.policy.packs").joinpath("cooperative.toml").read_text(encoding="utf-8")
    strict = strict.replace('sharing = "order_or_written"', 'sharing = "order_only"')
    below = parse(strict, load)

    def read(said):
        return parse(f"{HEAD}{said}\n", lambda name: below if name == "cooperative" else load(name), lambda _name: strict)

    assert read("").switches.sharing == "order_only"
    with pytest.raises(PackRefused, match=r"switches\.sharing: wider-than-base"):
        read('switches.sharing = "order_or_written"')


IMPLIED = """
[purposes.instructions]
action = "use"
forms = ["implied"]
internal_only = true
classes = ["identity"]
article = "6.1"
law = "6"
label = { ar = "ا", en = "i" }
[notice.instructions]
purpose = { ar = "ا", en = "i" }
optional = { ar = "ا", en = "i" }
consequences = { ar = "ا", en = "i" }
recipients = { ar = "ا", en = "i" }
"""


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ("", "", True),
        ("internal_only = true", "internal_only = false", False),
        ('classes = ["identity"]\n', "", False),
        ('classes = ["identity"]', 'classes = ["identity", "health"]', False),
        ('law = "6"', 'law = "5"', False),
        ('action = "use"', 'action = "contact"', False),
        ('forms = ["implied"]', 'forms = ["verbal"]', False),
    ],
)
def test_what_is_implied_is_enough_inside_the_house_for_an_agreement_alone(old, new, holds):
    text = HEAD + IMPLIED.replace(old, new, 1)
    if holds:
        assert lint(text).purposes["instructions"].forms == {"implied"}
        return
    with pytest.raises(PackRefused, match="form-too-weak"):
        lint(text)


def test_a_pack_of_another_law_is_not_laid_over_this_one():
    def law_of(name):
        return replace(load("sa-pdpl"), name=name) if name == "else" else load(name)

    def text_of(name):
        return resources.files("vault.policy.packs").joinpath(f"{name}.toml").read_text(encoding="utf-8")

    def read(said):
        return parse(f'{HEAD}law = "{said}"\n', law_of, text_of)

    assert read("sa-pdpl").law == "sa-pdpl"
    with pytest.raises(PackRefused, match=r"^law: wider-than-base$"):
        read("else")


@pytest.mark.parametrize("base", ['"nobody"', "3", '"sa-pdpl"'])
def test_what_is_laid_over_no_pack_is_refused(base):
    with pytest.raises(PackRefused):
        lint(HEAD.replace('"cooperative"', base))
