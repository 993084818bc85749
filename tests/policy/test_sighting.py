"""Who may look at the scan of a signed form."""

from typing import Any

import pytest

from vault.policy.facts import Person
from vault.policy.sighting import Paper, article_7_sighted, sighted


def paper(consent: str = "c1", **changes: Any) -> Paper:
    return Paper(consent, "service_delivery", "INTERNAL", **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"own_hand": True}, "SAME_PERSON"),
        ({"rejected": True}, "CONSENT_REJECTED"),
        ({"stands": False}, "CONSENT_NOT_STANDING"),
        ({"own_hand": True, "rejected": True, "stands": False}, "SAME_PERSON"),
        ({"rejected": True, "stands": False}, "CONSENT_REJECTED"),
    ],
)
def test_a_scan_is_seen_by_who_can_verify_what_it_proves(changes: dict[str, Any], reason: str | None):
    assert article_7_sighted(Person(), paper(**changes)) == reason
    assert article_7_sighted(Person(locked=True), paper(**changes)) == "ERASURE_PENDING"


def test_of_several_consents_on_one_form_the_newest_that_can_be_verified_counts():
    papers = [paper("old"), paper("mine", own_hand=True), paper("fine"), paper("gone", stands=False)]
    assert sighted(Person(), papers) == (papers[2], None)
    assert sighted(Person(), [papers[1], papers[3]]) == (papers[3], "CONSENT_NOT_STANDING")
    assert sighted(Person(locked=True), papers) == (papers[3], "ERASURE_PENDING")
