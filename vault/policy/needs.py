"""What would have to be there for a yes: short stable words beside a refusal, for a system to act on and a clerk's page to translate."""

from collections.abc import Mapping
from typing import Final

from vault.policy.facts import INTERNAL, Question, Rules

WORDS: Final[Mapping[str, str]] = {
    "ENGAGEMENT_ENDED": "engagement",
    "NOT_ACKNOWLEDGED": "acknowledgement",
    "NO_AGREEMENT": "agreement-in-force",
    "NOT_ASSIGNED": "assignment",
    "NO_FIELDS": "fields",
    "RESTORED_UNCONFIRMED": "confirmation-of-the-restore",
    "NO_ORDER": "order-of-authority",
    "ORDER_RECIPIENT": "order-naming-recipient",
    "ORDER_UNVERIFIED": "approval-of-order",
    "ORDER_EXPIRED": "order-in-force",
    "ORDER_SCOPE": "order-naming-fields",
    "GUARDIAN_CONFLICT": "agreement-among-guardians",
    "EVIDENCE_INCOMPLETE": "complete-evidence",
    "EVIDENCE_UNVERIFIED": "verification-by-another-person",
    "PENDING_CONFIRMATION": "confirmation",
    "NO_CAPACITY": "consent-of-guardian",
    "GUARDIANSHIP_UNVERIFIED": "verified-guardianship",
    "GUARDIAN_REMOVED": "consent-of-guardian",
    "REAFFIRMATION_REQUIRED": "confirmation-by-the-person",
    "NOTICE_SUPERSEDED": "consent-to-current-notice",
    "EXPLICIT_REQUIRED": "explicit-consent",
    "FIELDS_NOT_COVERED": "consent-naming-fields",
}
_CONSENT: Final = frozenset(
    {
        *("RECIPIENT_NOT_COVERED", "NO_CONSENT", "NOT_YET_RECORDED", "STALE_GRANT", "CONSENT_EXPIRED", "EVIDENCE_INSUFFICIENT"),
        *("CONSENT_WITHDRAWN", "CONSENT_REFUSED", "CONSENT_INVALIDATED"),
    }
)


def missing(question: Question, rules: Rules, reason: str) -> tuple[str, ...]:
    """The words for this refusal, such as ("written-consent-naming-recipient",); empty where nothing one could bring would help."""
    if reason in _CONSENT:
        return (_consent(question, rules),)
    return (WORDS[reason],) if reason in WORDS else ()


def _consent(question: Question, rules: Rules) -> str:
    """The consent that would do: in writing and naming the recipient for whatever leaves (6.2, 6.4), else of a form the purpose accepts."""
    purpose = rules.purposes.get(question.purpose)
    if question.recipient != INTERNAL or (purpose is not None and purpose.action == "disclose"):
        return "written-consent-naming-recipient"
    forms = "-or-".join(sorted(purpose.forms, reverse=True)) if purpose is not None else ""
    return f"{forms}-consent" if forms else "consent"
