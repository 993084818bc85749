"""The packs that ship say what the contract says, in both languages; a pack that does not hold is refused with its path."""

import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from vault.policy.pack import (
    PARTS,
    Field,
    PackRefused,
    RecordType,
    Text,
    lint,
    load,
    names,
    parse,
    same_deed,
    together,
    type_within,
    within,
)
from vault.policy.reader import Reader

COOPERATIVE = load("cooperative")
LAW = load("sa-pdpl")
TEXTS = {name: resources.files("vault.policy.packs").joinpath(f"{name}.toml").read_text(encoding="utf-8") for name in names()}

BREAKS = json.loads((Path(__file__).parent.parent / "vectors" / "decisions" / "pack" / "breaks.json").read_text(encoding="utf-8"))["cases"]

CONTRACT_PURPOSES = {
    "service_delivery": ("use", {"written", "electronic"}, "6.1"),
    "partner_sharing": ("disclose", {"written"}, "6.2"),
    "sms_offers": ("contact", {"electronic"}, "6.4"),
    "email_offers": ("contact", {"electronic"}, "6.4"),
    "call_offers": ("contact", {"electronic"}, "6.4"),
    "sms_updates": ("contact", {"electronic"}, "6.4"),
    "email_updates": ("contact", {"electronic"}, "6.4"),
    "publication": ("publish", {"written"}, "6.1"),
    "internal_research": ("use", {"written", "electronic"}, "6.3"),
    "visitor_analytics": ("use", {"electronic"}, "6.5"),
    "legal_order": ("disclose", set(), "4"),
}
CONTRACT_FIELDS = {
    "identity": "full_name national_id birth_date gender nationality identity_note",
    "contact": "mobile email social_handle short_address national_address",
    "finance": "iban monthly_income",
    "family": "marital_status family_size housing",
    "health": "health_note",
    "sensitive": "orphan_status",
}


def test_the_cooperative_pack_lays_down_the_purposes_of_the_contract():
    got = {code: (each.action, set(each.forms), each.article) for code, each in COOPERATIVE.purposes.items()}
    assert got == CONTRACT_PURPOSES
    assert [code for code, each in COOPERATIVE.purposes.items() if each.internal_only] == ["internal_research"]
    assert [code for code, each in COOPERATIVE.purposes.items() if each.basis == "order"] == ["legal_order"]
    assert not any(each.double_opt_in for each in COOPERATIVE.purposes.values())


def test_the_law_pack_lays_down_the_duties_of_the_contract():
    assert set(LAW.purposes) == {"subject_request", "breach_notice", "rights_notice", "legal_record", "intake"}
    assert all(each.basis == "law" and each.internal_only and each.action == "use" for each in LAW.purposes.values())
    assert LAW.purposes["intake"].within_hours == 24
    assert set(together(COOPERATIVE)) == {*CONTRACT_PURPOSES, *LAW.purposes}
    assert together(LAW) == dict(LAW.purposes)


def test_a_beneficiary_has_the_fields_and_classes_of_the_contract():
    fields = COOPERATIVE.record_types["beneficiary"].fields
    assert {name: each.class_name for name, each in fields.items()} == {
        name: kind for kind, told in CONTRACT_FIELDS.items() for name in told.split()
    }
    assert {name for name, each in fields.items() if each.searchable} == {"national_id", "mobile", "full_name"}
    assert [name for name, each in fields.items() if each.required] == ["full_name"]
    assert COOPERATIVE.record_types["beneficiary"].either == (("national_id", "identity_note"),)
    others = {"guardian", "staff", "contact_person", "donor", "member", "volunteer", "visitor", "related_party", "document", "testimony"}
    assert set(COOPERATIVE.record_types) == {"beneficiary", *others}
    assert len({each.id for each in COOPERATIVE.record_types.values()}) == len(COOPERATIVE.record_types)


def test_the_numbers_that_lie_in_containers_never_move():
    assert LAW.classes == {"sheet": 1, "identity": 2, "contact": 3, "finance": 4, "family": 5, "health": 6, "sensitive": 7}
    ids = {name: each.id for name, each in COOPERATIVE.record_types["beneficiary"].fields.items()}
    order = (
        "full_name national_id identity_note birth_date gender nationality mobile email social_handle short_address national_address "
        "iban monthly_income marital_status family_size housing health_note orphan_status"
    )
    assert ids == {name: number for number, name in enumerate(order.split(), 1)}


def test_every_purpose_of_consent_has_a_notice_of_eleven_parts_in_both_languages():
    assert set(COOPERATIVE.notices) == {code for code, each in COOPERATIVE.purposes.items() if each.basis == "consent"}
    for code, notice in COOPERATIVE.notices.items():
        assert set(notice.parts) == set(PARTS), code
        for part in notice.parts.values():
            assert part.ar in notice.text.ar
            assert part.en in notice.text.en
        assert 120 <= len(notice.text.ar.split()) <= 200, code
        assert re.search(r"[A-Za-z]", notice.text.ar) is None, code
        assert re.search(r"[\u0600-\u06ff]", notice.text.en) is None, code


def test_all_report_categories_of_the_contract_are_there():
    told = (
        "disclosed_to_third_party published_without_consent sold_or_shared research_misuse marketing_without_consent visitor_data "
        "loss_theft_hack wrong_recipient staff_snooping rights_request_ignored other"
    )
    assert list(COOPERATIVE.report_categories) == told.split()


def test_sale_and_the_emergency_route_are_off():
    assert (COOPERATIVE.switches.sale, COOPERATIVE.switches.vital_interest) == (False, False)
    assert COOPERATIVE.switches.sharing == "order_or_written"


def test_a_pack_of_orders_alone_has_no_disclosure_by_consent():
    strict = parse(TEXTS["cooperative"].replace('sharing = "order_or_written"', 'sharing = "order_only"'), load)
    assert [code for code, each in strict.purposes.items() if each.action == "disclose"] == ["legal_order"]
    assert "partner_sharing" not in strict.notices


def test_packs_carry_nobodys_name_number_or_address():
    for text in TEXTS.values():
        assert re.search(r"\d{7,}|SA\d{2}|@|https?:|www\.", text) is None


def test_an_unknown_pack_is_refused():
    with pytest.raises(PackRefused) as refused:
        load("no-such-pack")
    assert (refused.value.path, refused.value.code) == ("", "unknown-pack")


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case["title"])
def test_a_pack_that_does_not_hold_is_refused_with_its_path(case):
    assert case["old"] in TEXTS["cooperative"]
    with pytest.raises(PackRefused) as refused:
        parse(TEXTS["cooperative"].replace(case["old"], case["new"], 1), load)
    assert (refused.value.path, refused.value.code) == (case["path"], case["code"])
    assert str(refused.value) == f"{case['path'] or 'pack'}: {case['code']}"


def test_a_purpose_of_consent_without_any_notice_is_refused():
    text = re.sub(r"\n\[notice\.publication\.\w+\]\nar = .*\nen = .*\n", "\n", TEXTS["cooperative"])
    with pytest.raises(PackRefused, match=r"notice\.publication: missing"):
        parse(text, load)


def test_two_classes_of_one_number_are_refused():
    with pytest.raises(PackRefused, match="classes: number-twice"):
        parse(TEXTS["sa-pdpl"].replace("contact = 3", "contact = 2"), load)


def test_a_reader_leaves_the_table_it_reads_as_it_is():
    table = {"a": "b"}
    Reader(table).text("a")
    assert table == {"a": "b"}


OFFERS, RESEARCH, INTAKE = COOPERATIVE.purposes["sms_offers"], COOPERATIVE.purposes["internal_research"], LAW.purposes["intake"]


@pytest.mark.parametrize(
    ("narrow", "wide", "holds"),
    [
        (OFFERS, OFFERS, True),
        (replace(OFFERS, code="sms_ramadan", double_opt_in=True, honours_gpc=True, internal_only=True), OFFERS, True),
        (replace(OFFERS, classes=frozenset({"contact"})), OFFERS, True),
        (replace(OFFERS, classes=None), OFFERS, False),
        (replace(OFFERS, classes=frozenset({"contact", "health"})), OFFERS, False),
        (replace(OFFERS, forms=frozenset({"electronic", "written"})), OFFERS, False),
        (replace(OFFERS, action="use"), OFFERS, False),
        (replace(OFFERS, article="6.1"), OFFERS, False),
        (replace(OFFERS, law="5"), OFFERS, False),
        (replace(OFFERS, basis="law"), OFFERS, False),
        (replace(RESEARCH, forms=frozenset({"written"})), RESEARCH, True),
        (replace(RESEARCH, internal_only=False), RESEARCH, False),
        (OFFERS, replace(OFFERS, double_opt_in=True), False),
        (OFFERS, replace(OFFERS, honours_gpc=True), False),
        (replace(OFFERS, despite=frozenset({"restricted"})), OFFERS, False),
        (INTAKE, INTAKE, True),
        (replace(INTAKE, within_hours=12), INTAKE, True),
        (replace(INTAKE, within_hours=None), INTAKE, False),
        (replace(INTAKE, within_hours=25), INTAKE, False),
    ],
)
def test_a_purpose_may_narrow_its_pack_and_never_widen_it(narrow, wide, holds):
    assert within(narrow, wide) == holds


PUBLICATION = COOPERATIVE.purposes["publication"]


@pytest.mark.parametrize(
    ("new", "old", "same"),
    [
        (OFFERS, OFFERS, True),
        (replace(OFFERS, forms=frozenset({"written"}), classes=None, article="6.1"), OFFERS, True),
        (replace(OFFERS, action="use"), OFFERS, False),
        (replace(OFFERS, basis="order"), OFFERS, False),
        (replace(OFFERS, channel="call"), OFFERS, False),
        (replace(OFFERS, channel=""), OFFERS, True),
        (OFFERS, replace(OFFERS, channel=""), False),
        (replace(PUBLICATION, channel="website"), replace(PUBLICATION, channel=""), True),
        (replace(PUBLICATION, channel=""), replace(PUBLICATION, channel="website"), False),
    ],
)
def test_what_people_agreed_to_is_one_deed_by_one_means(new, old, same):
    assert same_deed(new, old) == same


@pytest.mark.parametrize(
    "text",
    [
        f"{'.'.join('a' * 3000)} = 1",
        f"[{'.'.join('a' * 258)}]\n",
        "x = " + f"{{{'.'.join('a' * 200)} = [\n" * 9 + "1" + "]}" * 9,
        f"x = {'1' * 5000}",
        "x = " + "[" * 3000,
    ],
)
def test_a_file_that_is_deeper_or_longer_than_is_read_is_no_pack(text):
    with pytest.raises(PackRefused) as found:
        lint(text)
    assert (found.value.path, found.value.code) == ("", "not-toml")


def test_a_line_may_have_many_dots():
    assert lint(f"# {'.' * 256}\n{TEXTS['cooperative']}").name == "cooperative"


def test_a_record_type_may_narrow_its_pack_and_never_widen_it():
    wide = COOPERATIVE.record_types["beneficiary"]

    def with_field(name, **changes):
        return replace(wide, fields={**wide.fields, name: replace(wide.fields[name], **changes)})

    fewer = replace(wide, fields={name: each for name, each in wide.fields.items() if name != "orphan_status"})
    assert type_within(wide, wide)
    assert type_within(fewer, wide)
    assert type_within(with_field("national_id", searchable=False), wide)
    assert type_within(with_field("mobile", required=True), wide)
    assert not type_within(wide, fewer)
    assert not type_within(with_field("health_note", class_name="identity"), wide)
    assert not type_within(with_field("health_note", searchable=True), wide)
    assert not type_within(with_field("full_name", required=False), wide)
    assert not type_within(with_field("iban", kind="text"), wide)
    assert not type_within(with_field("iban", id=99), wide)
    assert not type_within(replace(wide, either=()), wide)


def one_field(**said):
    """A type of one field, as the pack or as an association would lay it down."""
    number = Field("n", 1, "integer", "family", Text("ع", "n"), **said)
    return RecordType("t", 1, Text("ن", "t"), {"n": number})


@pytest.mark.parametrize(
    ("narrow", "wide", "holds"),
    [
        ({"low": 2}, {"low": 1}, True),
        ({"low": 1}, {"low": 1}, True),
        ({"low": 0}, {"low": 1}, False),
        ({}, {"low": 1}, False),
        ({"low": 5}, {}, True),
        ({"high": 8}, {"high": 9}, True),
        ({"high": 9}, {"high": 9}, True),
        ({"high": 10}, {"high": 9}, False),
        ({}, {"high": 9}, False),
        ({"high": 9}, {}, True),
        ({"low": 0, "high": 5}, {"low": 1, "high": 9}, False),
        ({"choices": ("a",)}, {"choices": ("a", "b")}, True),
        ({"choices": ("a", "b")}, {"choices": ("a", "b")}, True),
        ({"choices": ("a", "c")}, {"choices": ("a", "b")}, False),
        ({}, {"choices": ("a", "b")}, False),
        ({"choices": ("a",)}, {}, False),
    ],
)
def test_choices_and_bounds_may_be_fewer_and_closer(narrow, wide, holds):
    assert type_within(one_field(**narrow), one_field(**wide)) == holds


@pytest.mark.parametrize(
    ("required", "groups", "holds"),
    [
        ((), (("a", "b"),), True),
        ((), (("a",),), True),
        (("b",), (), True),
        ((), (("a", "b", "c"),), False),
        (("c",), (), False),
        ((), ((),), False),
        ((), (), False),
    ],
)
def test_a_group_is_kept_by_a_smaller_one_or_by_a_field_that_must_be_there(required, groups, holds):
    fields = {name: Field(name, number, "text", "identity", Text("ع", name)) for number, name in enumerate("abc", 1)}
    wide = RecordType("t", 1, Text("ن", "t"), fields, (("a", "b"),))
    mine = {name: replace(each, required=name in required) for name, each in fields.items()}
    assert type_within(replace(wide, fields=mine, either=groups), wide) == holds


@pytest.mark.parametrize("name", names())
def test_a_pack_read_anew_is_the_pack_that_is_in_force(name):
    again = lint(TEXTS[name])
    assert again == load(name)
    assert all(code == purpose.code for code, purpose in again.purposes.items())


def test_the_law_outlasts_death_and_restriction_only_where_it_says_so_in_words_there_are():
    assert LAW.explicit_classes == {"health", "sensitive"}
    text = TEXTS["sa-pdpl"]
    assert 'despite = ["' in text
    with pytest.raises(PackRefused):
        parse(text.replace('despite = ["', 'despite = ["asleep", "', 1), load)


def test_a_pack_that_says_nothing_of_sharing_shares_by_order_alone():
    text = re.sub(r"(?m)^sharing = .*\n", "", TEXTS["cooperative"])
    assert text != TEXTS["cooperative"]
    # Its notices of sharing have no purpose any more, and go with it.
    told = parse(text, load)
    assert told.switches.sharing == "order_only"
    assert {code for code, each in told.purposes.items() if each.action == "disclose"} == {"legal_order"}


def test_the_packs_that_ship_are_these():
    assert names() == ("capacity-building", "cooperative", "family-empowerment", "health", "orphan-care", "sa-pdpl")
    assert all(load.__wrapped__(name) == load(name) for name in names())


@pytest.mark.parametrize(
    ("old", "new", "path", "code"),
    [
        ("sheet = 1", "sheet = 0", "classes.sheet", "out-of-range"),
        ("sheet = 1", "sheet = 65280", "classes.sheet", "out-of-range"),
        ('classes = ["health", "sensitive"]', 'classes = ["health", "secret"]', "explicit.classes", "unknown-word"),
        ("within_hours = 24", "within_hours = 0", "purposes.intake.within_hours", "out-of-range"),
        ("within_hours = 24", "within_hours = 721", "purposes.intake.within_hours", "out-of-range"),
        ("[title]", "[titles]", "title", "missing"),
    ],
)
def test_a_law_pack_that_does_not_hold_is_refused_with_its_path(old, new, path, code):
    assert TEXTS["sa-pdpl"].count(old) == 1
    with pytest.raises(PackRefused) as refused:
        parse(TEXTS["sa-pdpl"].replace(old, new), load)
    assert (refused.value.path, refused.value.code) == (path, code)


@pytest.mark.parametrize("hours", [1, 720])
def test_a_duty_may_last_from_one_hour_to_thirty_days(hours):
    told = parse(TEXTS["sa-pdpl"].replace("within_hours = 24", f"within_hours = {hours}"), load)
    assert told.purposes["intake"].within_hours == hours


def test_the_highest_class_is_the_last_below_the_vaults_own():
    assert parse(TEXTS["sa-pdpl"].replace("sheet = 1", "sheet = 65279"), load).classes["sheet"] == 0xFEFF


def altered(old, new):
    """The cooperative pack with one place altered that holds all the same."""
    assert old in TEXTS["cooperative"]
    return parse(TEXTS["cooperative"].replace(old, new, 1), load)


@pytest.mark.parametrize(("low", "high"), [(0, 0), (10**12, 10**12)])
def test_bounds_reach_from_nothing_to_a_million_millions(low, high):
    field = altered("low = 0, high = 999999", f"low = {low}, high = {high}").record_types["beneficiary"].fields["monthly_income"]
    assert (field.low, field.high) == (low, high)


def test_numbers_of_fields_and_types_fill_two_bytes():
    told = altered("monthly_income = { id = 13,", "monthly_income = { id = 65535,").record_types["beneficiary"]
    assert told.fields["monthly_income"].id == 2**16 - 1
    assert altered("[record_types.donor]\nid = 5", "[record_types.donor]\nid = 65535").record_types["donor"].id == 2**16 - 1


@pytest.mark.parametrize("months", [0, 100_000])
def test_a_number_of_days_or_months_may_be_none_at_all(months):
    assert altered("beneficiary = 60", f"beneficiary = {months}").retention_months["beneficiary"] == months


def test_a_pack_may_say_how_long_reports_and_incidents_are_kept():
    told = altered("beneficiary = 60", "beneficiary = 60\nbreach_incident = 84\nbreach_dismissed = 6")
    assert (told.retention_months["breach_incident"], told.retention_months["breach_dismissed"]) == (84, 6)


def test_consent_may_be_named_as_the_basis_and_double_opt_in_asked_for():
    told = altered("[purposes.sms_offers]\n", '[purposes.sms_offers]\nbasis = "consent"\ndouble_opt_in = true\n')
    assert told.purposes["sms_offers"] == replace(OFFERS, double_opt_in=True)
    assert told.purposes["email_offers"] == COOPERATIVE.purposes["email_offers"]


def test_a_reader_tells_the_whole_path_of_what_is_missing_within():
    outer = Reader({"inner": {}}).table("inner")
    assert outer.path == "inner"
    assert outer.table("none", optional=True).path == "inner.none"
    with pytest.raises(PackRefused, match=r"^inner\.none: missing$"):
        outer.table("none")
    with pytest.raises(PackRefused, match=r"^inner\.none\.word: missing$"):
        outer.table("none", optional=True).text("word")
