"""Who may look at the scan of a signed form: whoever can still verify the consent it proves, and nobody else.

Sources: article 7 (in confidence), implementing regulation 11(1) (documented so that it can be verified), and that verifying takes two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vault.policy.facts import Person


@dataclass(frozen=True, slots=True)
class Paper:
    """One consent that rests on a scan, as the asker meets it.

    `own_hand`: it went through her hands or those of an account she made; `rejected`: a second person found it wanting; `stands`: nothing
    has ended it.
    """

    consent: str
    purpose: str
    recipient: str
    own_hand: bool = False
    rejected: bool = False
    stands: bool = True


def article_7_sighted(person: Person, paper: Paper) -> str | None:
    """Nothing opens once erasure is asked for, and a scan only to who can verify the consent: another person, while it stands."""
    if person.locked:
        return "ERASURE_PENDING"
    if paper.own_hand:
        return "SAME_PERSON"
    if paper.rejected:
        return "CONSENT_REJECTED"
    return None if paper.stands else "CONSENT_NOT_STANDING"


def sighted(person: Person, papers: Sequence[Paper]) -> tuple[Paper, str | None]:
    """The newest of these consents (oldest first, at least one) that the scan may be seen for; else the newest, and what is against it."""
    found = [(paper, article_7_sighted(person, paper)) for paper in reversed(papers)]
    return next((one for one in found if one[1] is None), found[0])
