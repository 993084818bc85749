"""Evidence: complete or what is missing; what contradicts the notice or cannot be true is refused at the door."""

from typing import Any

import pytest

from tests.household import electronic, written
from tests.simulator import SECOND, START
from vault.consent.evidence import ELECTRONIC, FUTURE_TOLERANCE, MOST_BYTES, WRITTEN, moment, weigh
from vault.errors import Invalid
from vault.web.times import write_time

NOTICE = "ab" * 32
LATER = write_time(START + 6 * 60 * SECOND)


def weighed(form: str, evidence: dict[str, Any]) -> Any:
    return weigh(form, evidence, notice_sha256=NOTICE, now=START)


@pytest.mark.parametrize(("form", "complete"), [("written", written("officer@probe")), ("electronic", electronic(NOTICE))])
def test_evidence_with_all_its_parts_is_complete(form: str, complete: dict[str, Any]):
    found = weighed(form, complete)
    assert (found.missing, found.signed_at, dict(found.detail)) == ((), (START,), complete)


@pytest.mark.parametrize("part", WRITTEN)
def test_a_part_missing_on_paper_is_told_and_not_refused(part: str):
    evidence = written("officer@probe")
    assert weighed("written", {k: v for k, v in evidence.items() if k != part}).missing == (part,)
    assert weighed("written", evidence | {part: None}).missing == (part,)


@pytest.mark.parametrize("part", ELECTRONIC)
def test_a_part_missing_of_an_act_is_told_and_not_refused(part: str):
    assert weighed("electronic", {k: v for k, v in electronic(NOTICE).items() if k != part}).missing == (part,)


def test_a_thumbprint_needs_a_witness():
    paper = written("officer@probe") | {"signature": "thumbprint"}
    assert weighed("written", paper).missing == ("witness",)
    assert weighed("written", paper | {"witness": "staff 4"}).missing == ()


@pytest.mark.parametrize(("method", "confirmed"), [("one_time_code", True), ("session", False)])
def test_a_code_sent_to_the_number_confirms_it(method: str, confirmed: bool):
    evidence = electronic(NOTICE)
    evidence["proof"]["method"] = method
    assert weighed("electronic", evidence).confirmed is confirmed


REFUSED: dict[str, tuple[str, dict[str, Any], tuple[str, str]]] = {
    "a pre-ticked box": ("electronic", {"act": "default"}, ("not-affirmative", "evidence.act")),
    "silence": ("electronic", {"act": ""}, ("not-affirmative", "evidence.act")),
    "another text": ("electronic", {"text_sha256": "cd" * 32}, ("notice-hash-mismatch", "evidence.text_sha256")),
    "an answer of tomorrow": ("electronic", {"answered_at": LATER}, ("future-dated", "evidence.answered_at")),
    "a proof of tomorrow": (
        "electronic",
        {"proof": {"method": "session", "verified_at": LATER}},
        ("future-dated", "evidence.proof.verified_at"),
    ),
    "an answer before the question": (
        "electronic",
        {"answered_at": write_time(START - SECOND)},
        ("evidence-malformed", "evidence.answered_at"),
    ),
    "another's word": ("electronic", {"asserted_by": "neighbour"}, ("evidence-malformed", "evidence")),
    "an unknown part": ("electronic", {"ip": "192.0.2.1"}, ("evidence-malformed", "evidence")),
    "a signature of tomorrow": ("written", {"signed_at": LATER}, ("future-dated", "evidence.signed_at")),
    "no time": ("written", {"signed_at": "yesterday"}, ("invalid", "evidence.signed_at")),
    "a typed name": ("written", {"signature": "typed"}, ("evidence-malformed", "evidence")),
    "a scan that is no id": ("written", {"scan": "form.pdf"}, ("evidence-malformed", "evidence.scan")),
    "a file in a note": ("written", {"place": "x" * MOST_BYTES}, ("evidence-malformed", "evidence")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_true_is_refused(case: str):
    form, change, expected = REFUSED[case]
    evidence = written("officer@probe") if form == "written" else electronic(NOTICE)
    with pytest.raises(Invalid) as refused:
        weighed(form, evidence | change)
    assert (refused.value.code, refused.value.errors[0].field) == expected


@pytest.mark.parametrize("form", ["verbal", "implied"])
def test_a_spoken_word_is_kept_as_a_note(form: str):
    assert dict(weighed(form, {"witness": "staff 4", "note": "by telephone"}).detail) == {"witness": "staff 4", "note": "by telephone"}
    for other in ({"note": 7}, {"note": {"a": "b"}}, {"note": "x" * MOST_BYTES}):
        with pytest.raises(Invalid) as refused:
            weighed(form, other)
        assert refused.value.code == "evidence-malformed"


def test_five_minutes_of_another_clock_are_forgiven():
    assert moment(write_time(START + FUTURE_TOLERANCE), "x", START) == START + FUTURE_TOLERANCE
    with pytest.raises(Invalid) as refused:
        moment(write_time(START + FUTURE_TOLERANCE + SECOND), "x", START)
    assert refused.value.code == "future-dated"
