"""The document as handed in: what is refused, what is remarked on, and that laying it out loses and adds nothing."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publication.damaged import BULLET, DAMAGED, LOST, RLO
from tests.publication.policies import POLICIES, policy
from vault.publication import document
from vault.publication.document import LARGEST, DocumentRefused, Page, Remark, pages, read, remarks

SPACES = re.compile("[\\s\ufeff]+")


def told(laid: tuple[Page, ...]) -> str:
    """Every character of what is laid out, numbers turned back into their characters."""
    pieces = (piece for page in laid for block in page for line in block for piece in line.pieces)
    return "".join(chr(int(piece.text.removeprefix("U+"), 16)) if piece.is_number else piece.text for piece in pieces)


def bare(text: str) -> str:
    """The characters that are no space: what a reader would miss. Python takes four controls for spaces."""
    return "".join(each for each in text if not each.isspace() or each in "\x1c\x1d\x1e\x1f")


def test_nothing_of_a_damaged_text_is_lost_added_or_moved():
    assert bare(told(pages(DAMAGED))) == bare(DAMAGED)


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_of_the_associations_own_policies_is_lost_added_or_moved(name: str):
    text = read(policy(name))
    laid = pages(text)
    assert bare(told(laid)) == bare(text)
    assert not any(piece.is_number for page in laid for block in page for line in block for piece in line.pieces)
    assert len([line for page in laid for block in page for line in block]) == len([line for line in text.split("\n") if line.strip()])


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_text_keeps_every_character(text: str):
    assert bare(told(pages(text))) == bare(text)


def test_letters_are_never_replaced_by_others_that_look_alike():
    words = told(pages(DAMAGED))
    assert unicodedata.normalize("NFKC", DAMAGED) != DAMAGED
    for kept in ("\ufe8d\ufedf\ufe92", "\ufdf2", "مستفید", "10² م²", "½", "سيـــاسة", "١٤٤5هـ", LOST, BULLET):
        assert kept in words


def test_line_ends_of_every_kind_end_lines_and_form_feeds_end_pages():
    laid = pages("أ\r\nب\nج\rد\x0bه\x85و\u2028ز\u2029ح\fط\n\n\n\nي\f\f\n\f")
    assert [[[told((((line,),),)) for line in block] for block in page] for page in laid] == [[list("أبجدهوزح")], [["ط"], ["ي"]]]


def test_what_turns_hides_or_controls_stands_by_its_number_and_what_writing_needs_stays():
    numbered = {chr(point) for point in range(0x110000) if document._BY_NUMBER.match(chr(point))}
    formats = {chr(point) for point in range(0x110000) if unicodedata.category(chr(point)) in ("Cf", "Cc")}
    ends, writing = "\t\n\v\f\r\x85", "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
    shown = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    assert formats - numbered == set(ends + writing + shown)
    nothing = {each for each in numbered - formats if unicodedata.category(each) != "Cn"}
    assert nothing == set(), "a character with a shape of its own"


def test_no_reading_direction_is_turned_in_what_is_laid_out():
    line = pages(f"آمن {RLO}txt.exe")[0][0][0]
    assert [(piece.text, piece.is_number) for piece in line.pieces] == [("آمن ", False), ("U+202E", True), ("txt.exe", False)]


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("Imagined Association.", "ltr"),
        ("PDF ملف", "rtl"),
        ("policy@example.org", "ltr"),
        ("article ٣", "ltr"),
        ("0000000000", "rtl"),
        ("٣ - ٤", "rtl"),
        ("\ufe8d\ufedf a", "rtl"),
        ("عربي", "rtl"),
    ],
)
def test_a_line_is_read_from_the_side_its_letters_are(text: str, direction: str):
    assert pages(text)[0][0][0].direction == direction


def test_the_publisher_is_told_what_to_look_at_and_where():
    assert remarks(DAMAGED) == (
        Remark("lost-characters", 1, 11),
        Remark("private-characters", 1, 9),
        Remark("presentation-forms", 25, 8),
        Remark("direction-controls", 2, 15),
        Remark("hidden-characters", 1, 15),
        Remark("unseen-characters", 1, 1),
        Remark("control-characters", 3, 16),
    )
    assert remarks("سياسة\nPolicy ١٢ 3\f") == ()


@pytest.mark.parametrize("unseen", "\u200b\u2060\ufeff\u115f\u3164\ufe0f\U000e0100")
def test_characters_nobody_sees_are_remarked_upon_and_left_as_they_are(unseen: str):
    text = f"سياسة\nPol{unseen}icy"
    assert remarks(text) == (Remark("unseen-characters", 1, 2),)
    assert bare(text) == "".join(piece.text for each in pages(text)[0][0] for piece in each.pieces)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "document-empty"),
        (" \n\t.…-\u200f\f".encode(), "document-empty"),
        ("سياسة".encode("cp1256"), "document-unreadable"),
        ("سياسة".encode("utf-16"), "document-unreadable"),
        (b"a\x00b", "document-unreadable"),
        (b"\xed\xa0\x80", "document-unreadable"),
        (b"a" * (LARGEST + 1), "document-too-large"),
    ],
)
def test_what_cannot_be_is_refused_by_name(content: bytes, code: str):
    with pytest.raises(DocumentRefused) as refused:
        read(content)
    assert refused.value.code == code


def test_the_longest_document_and_the_shortest_are_taken():
    assert len(read(b"a" * LARGEST)) == LARGEST
    assert read(b"1") == "1"
    assert read(DAMAGED.encode()).encode() == DAMAGED.encode()
