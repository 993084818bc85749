"""The invented families: valid for the vault, the same for the same seed, and families."""

import re
from collections import Counter
from itertools import islice
from random import Random

import pytest

from vault.demo.household import FAMILIES, MEN, RESIDENTS, WOMEN
from vault.demo.numbers import Numbers
from vault.demo.people import Family, Member, beneficiaries, families, widow
from vault.policy.pack import load
from vault.records.values import check_digit, full_capacity
from vault.records.values.dates import date, gregorian_of
from vault.records.values.kinds import Options, normalise

YEAR = 1448
TYPES = load("cooperative").record_types


@pytest.fixture(scope="module")
def many() -> list[Family]:
    return beneficiaries("test", YEAR, 1000)


def members(made: list[Family]) -> list[Member]:
    return [member for family in made for member in family.members]


def stored(member: Member, name: str) -> object:
    field = TYPES[member.type].fields[name]
    return normalise(field.kind, member.fields[name], Options(choices=field.choices))


def test_there_are_exactly_as_many_beneficiaries_as_asked_for(many: list[Family]):
    assert Counter(member.type for member in members(many))["beneficiary"] == 1000
    for count in range(30):
        assert sum(member.type == "beneficiary" for member in members(beneficiaries("test", YEAR, count))) == count


@pytest.mark.parametrize("seed", ["test", 7])
def test_the_same_seed_makes_the_same_families(seed: str | int):
    assert list(islice(families(seed, YEAR), 40)) == list(islice(families(seed, YEAR), 40))


def test_another_seed_makes_other_families():
    assert next(families("a", YEAR)) != next(families("b", YEAR))


def test_every_value_is_one_the_pack_takes(many: list[Family]):
    for member in members(many):
        assert set(member.fields) <= set(TYPES[member.type].fields)
        for name in member.fields:
            stored(member, name)


def test_every_field_of_a_beneficiary_occurs(many: list[Family]):
    assert set().union(*(member.fields for member in members(many) if member.type == "beneficiary")) == set(TYPES["beneficiary"].fields)


def test_every_shape_of_family_occurs(many: list[Family]):
    assert set(Counter(family.shape for family in many)) == {"orphans", "low_income", "divorced", "alone", "residents", "foundling"}


def test_no_two_people_share_an_identity_number(many: list[Family]):
    numbers = [stored(member, "national_id") for member in members(many) if "national_id" in member.fields]
    assert len(numbers) == len(set(numbers))


def test_identity_numbers_come_from_ranges_not_known_to_be_issued(many: list[Family]):
    assert {str(stored(member, "national_id"))[:2] for member in members(many) if "national_id" in member.fields} == {"19", "29"}


def test_whoever_has_no_number_has_the_reason(many: list[Family]):
    assert all("national_id" in member.fields or member.fields["identity_note"] for member in members(many))


def test_e_mail_addresses_lead_nowhere(many: list[Family]):
    ends = {member.fields["email"].rpartition("@")[2] for member in members(many) if "email" in member.fields}
    assert ends == {"example.org", "example.com", "example.net"}


def test_brothers_and_sisters_share_their_line_and_differ_in_name(many: list[Family]):
    for family in many:
        wards = [member.fields["full_name"].replace(" بنت ", " بن ").split(" ", 1) for member in family.members if member.role == "ward"]
        assert len({line for _, line in wards}) <= 1
        assert len({given for given, _ in wards}) == len(wards)


def test_children_carry_their_fathers_name_and_his_line(many: list[Family]):
    for family in (family for family in many if family.shape == "low_income" and len(family.members) > 2):
        father = family.members[0].fields["full_name"].replace(" بن ", " ").split()
        child = family.members[2].fields["full_name"].replace(" بن ", " ").replace(" بنت ", " ").split()
        assert child[1:3] == father[:2]
        assert child[-1] == father[-1]


def test_orphans_are_in_the_care_of_their_fathers_family(many: list[Family]):
    for family in (family for family in many if family.shape == "orphans"):
        guardian = family.members[0]
        assert guardian.type == "guardian"
        for ward in (member for member in family.members if member.role == "ward"):
            assert ward.guardianship is not None
            assert ward.guardianship.kind == guardian.fields["guardian_kind"]
            assert ward.fields["full_name"].split()[-1] == guardian.fields["full_name"].split()[-1]


def test_a_guardian_comes_before_the_ward_and_is_of_age(many: list[Family]):
    for family in many:
        for place, member in enumerate(family.members):
            if member.guardianship:
                assert member.guardianship.by < place
                assert family.members[member.guardianship.by].guardianship is None


def test_a_guardian_named_by_a_court_or_a_father_has_a_deed(many: list[Family]):
    held = [member.guardianship for member in members(many) if member.guardianship]
    assert {each.kind for each in held} == {"wali", "wasi", "carer", "custodian"}
    assert all((each.deed is None) == (each.kind == "wali") for each in held)


def test_whoever_is_under_age_has_a_guardian_and_nobody_else(many: list[Family]):
    today = gregorian_of(f"{YEAR}-06-15")
    for member in members(many):
        capacity = full_capacity(date(member.fields["birth_date"]))
        assert (capacity.latest > today) == (member.guardianship is not None)
        assert capacity.latest <= today or capacity.earliest == capacity.latest


def test_some_birth_dates_are_known_in_part_and_digits_are_typed_both_ways(many: list[Family]):
    typed = [member.fields["birth_date"] for member in members(many)]
    assert {date(text).precision for text in typed} == {"day", "month", "year"}
    assert {text.isascii() for text in typed} == {True, False}


def test_the_short_address_ends_in_the_buildings_number(many: list[Family]):
    for member in members(many):
        if "national_address" in member.fields:
            assert member.fields["national_address"]["building"] == member.fields["short_address"][-4:]


def test_the_widow_of_the_story_has_every_field_and_is_of_age():
    fields = widow("test", YEAR)
    assert set(fields) == set(TYPES["beneficiary"].fields)
    assert fields == widow("test", YEAR)
    assert full_capacity(date(fields["birth_date"])).latest < gregorian_of(f"{YEAR}-01-01")
    for name in fields:
        stored(Member("head", fields), name)


def test_a_slip_breaks_the_check_digit_and_nothing_else():
    numbers = Numbers(Random(3))
    for _ in range(50):
        right = numbers.national_id("1")
        slip = numbers.slip(right)
        assert slip[:9] == right[:9]
        assert slip[9] != right[9] == check_digit(right[:9])


def test_a_number_given_once_is_not_given_again():
    first = Numbers(Random(5)).mobile()
    numbers = Numbers(Random(5))
    numbers._given.add(first)
    assert numbers.mobile() != first


@pytest.mark.parametrize("names", [MEN, WOMEN, FAMILIES, RESIDENTS])
def test_names_are_single_arabic_words_each_listed_once(names: tuple[str, ...]):
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[\u0621-\u064a]+", name) for name in names)


def test_no_name_is_both_a_mans_and_a_womans():
    assert set(MEN).isdisjoint(WOMEN)
