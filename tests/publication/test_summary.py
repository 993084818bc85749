"""The summary of processing says what the pack says, all of it, in both languages, and nothing of any association."""

from dataclasses import replace

import msgspec
import pytest

from vault.policy.pack import load, names
from vault.publication.summary import processing, processing_of
from vault.publication.words import WORDS, period

ASSOCIATIONS = [name for name in names() if load(name).kind == "association"]


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_every_purpose_stands_with_its_forms_article_law_and_classes_as_verdicts_know_it(name: str):
    pack, told = load(name), processing(name)
    law = load(pack.law)
    assert [each.code for each in told.purposes] == list(pack.purposes)
    assert [each.code for each in told.duties] == list(law.purposes)
    for each in (*told.purposes, *told.duties):
        laid = pack.purposes.get(each.code) or law.purposes[each.code]
        assert (each.action.code, each.basis, {form.code for form in each.forms}) == (laid.action, laid.basis, set(laid.forms))
        assert (each.law.number, each.law.text) == (laid.law, law.articles[laid.law])
        assert {one.code for one in each.classes} == set(laid.classes or set(law.classes) - {"sheet"})
        assert (each.basis_text is None) == (laid.basis == "consent")
    assert all(each.article is not None and each.article.text == pack.articles[each.article.number] for each in told.purposes)


def test_a_pack_that_says_how_long_reports_are_kept_is_published_all_the_same():
    pack = load("cooperative")
    longer = replace(pack, retention_months={**pack.retention_months, "breach_incident": 84})
    assert processing_of(longer).kept == processing("cooperative").kept


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_times_channels_classes_and_categories_are_the_packs(name: str):
    pack, told = load(name), processing(name)
    assert {each.type: each.months for each in told.kept} == dict(pack.retention_months)
    assert {each.code for each in told.reply} == {code for code, number in pack.reply.items() if number}
    for each in told.reply:
        assert str(pack.reply[each.code]) in each.text.ar + each.text.en or pack.reply[each.code] < 3
    assert {each.code: each.text for each in told.channels} == {code: channel.label for code, channel in pack.channels.items()}
    assert {each.code: each.text for each in told.report_categories} == dict(pack.report_categories)
    assert {each.code for each in told.explicit_classes} == set(pack.explicit_classes)


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_every_word_is_there_in_both_languages(name: str):
    def walk(value: object) -> None:
        if isinstance(value, dict):
            if set(value) == {"ar", "en"}:
                assert value["ar"].strip()
                assert value["en"].strip()
                assert not set("{}") & set(value["ar"] + value["en"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(msgspec.json.decode(msgspec.json.encode(processing(name))))


def test_only_what_the_pack_opens_is_named_as_a_recipient():
    assert [each.code for each in processing("cooperative").recipients] == ["internal", "consent", "order", "publish"]
    assert [each.code for each in processing("cooperative").promises] == ["no_sale"]


@pytest.mark.parametrize(
    ("number", "unit", "ar", "en"),
    [
        (72, "hours", "72 ساعة", "72 hours"),
        (1, "days", "يوم واحد", "1 day"),
        (2, "days", "يومين", "2 days"),
        (7, "days", "7 أيام", "7 days"),
        (30, "days", "30 يومًا", "30 days"),
        (100, "days", "100 يوم", "100 days"),
        (60, "months", "5 سنوات", "5 years"),
        (12, "months", "سنة واحدة", "1 year"),
        (18, "months", "18 شهرًا", "18 months"),
        (0, "months", "0 شهر", "0 months"),
    ],
)
def test_a_length_of_time_is_counted_as_each_language_counts(number: int, unit: str, ar: str, en: str):
    said = period(number, unit)  # type: ignore[arg-type]  # a unit of the table above
    assert (said.ar, said.en) == (ar, en)


def test_every_class_of_data_has_words():
    assert set(WORDS.classes) == set(load("sa-pdpl").classes) - {"sheet"}
