"""The words shown beside a cited article: the pack's, or those of a document that an association brings."""

import pytest

from vault.demo.own_words import NoArticles, of_document, of_pack

DOCUMENT = """أولاً سياسة أخرى
١. بند لا يخص الخصوصية

المادة (1) الهدف
بناء الثقة.

المادة (٦) استخدام البيانات
١. سرية تامة
وعدم النشر.
٢. لا بيع ولا مشاركة.

المادة (٧) التخزين
بأمان."""


def test_the_packs_words_are_there_for_every_article_a_verdict_may_cite():
    assert {"1", "2", "3", "4", "5", "6.1", "6.2", "6.3", "6.4", "6.5", "7", "8"} <= set(of_pack())


def test_a_documents_articles_and_clauses_are_found_whichever_digits_number_them():
    assert of_document(DOCUMENT) == {
        "1": "الهدف: بناء الثقة.",
        "6": "استخدام البيانات:",
        "6.1": "سرية تامة وعدم النشر.",
        "6.2": "لا بيع ولا مشاركة.",
        "7": "التخزين: بأمان.",
    }


def test_a_document_without_articles_is_refused():
    with pytest.raises(NoArticles):
        of_document("سياسة\n١. بند")
