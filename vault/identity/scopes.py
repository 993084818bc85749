"""Every scope by name with the sentence that says what it opens, and the roles that are sets of them.

Invariants: a client is never given a scope of people; no role holds a scope that shows a value, and only clerks and caseworkers see values,
at the screen of a client; who lays down clients, staff, purposes and types does not approve, in one role or in two that one person holds.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final, Literal

from vault.errors import FieldError, Invalid

OWN: Final = "own"
"""What every signed-in person may do with her own session, credentials and acknowledgement; it is never given and never taken."""

# What systems may hold.
SYSTEM: Final[Mapping[str, str]] = {
    "records:write": "Store records and new revisions of them.",
    "applications:write": "Store what somebody applied with on a public form, for a key that reads nothing.",
    "records:read": "Read fields of a record for a purpose that an article allows.",
    "questions:ask": "Ask declared questions about a person, answered yes, no or unknown, in the place of her data.",
    "records:list": "List ids, types and revisions of records, never a value.",
    "records:search": "Find records by a searchable field for a purpose.",
    "intake": "Find ids without a standing basis, and read what was just stored, while a person is being taken in.",
    "consents:write": "Record consents, refusals and withdrawals as they were given.",
    "consents:read": "Read the state, history and receipts of consents.",
    "decisions:ask": "Ask whether something may be done; every answer is an entry.",
    "contacts:read": "Fetch the means of contact of people who agreed to be contacted for a purpose, page by page.",
    "publications:write": "Register what of somebody is published and where, see what has to be taken down, and say that it was.",
    "recalls:confirm": "See what a party is to destroy or correct, and say that it did; for keys of parties outside the house.",
    "referrals:answer": "See who is referred to a party, answer, and say what came of it; for keys of parties outside the house.",
    "research:read": "Have this month's release of a study made and fetch it, for research inside the house.",
    "notices:read": "Read the notice in force for a purpose.",
    "evidence:write": "Hand in scans that prove a consent.",
    "assignments:write": "Give a person's case to somebody or to a unit, end that, and open a case in an emergency.",
    "assignments:read": "See who has a person's case, and since when and why.",
    "requests:write": "Take down what a person asks about her data, however it came.",
    "reports:mail": "Hand in messages that came to the association's mailbox as breach reports; the key of `amanah mail-intake`.",
    "subject_request": "Read a person's data for the copy she asked for herself.",
    "breach_notice": "Read what is needed to tell a person of a breach that touches her.",
    "rights_notice": "Read what is needed to confirm a withdrawal, an erasure or majority to the person.",
    "legal_record": "Read what a named rule of retention orders to be kept.",
}

# What only people may hold.
PEOPLE: Final[Mapping[str, str]] = {
    "screen": "Work at the screen of a client, and see what its key may see for her.",
    "consents:verify": "Verify a written consent that another person took down.",
    "decisions:reasons": "Be told the reasons that say something about the person beyond her own agreement.",
    "purposes:write": "Lay down and narrow purposes.",
    "types:write": "Lay down record types.",
    "studies:write": "Propose and end studies for research inside the house.",
    "research": "Ask for a month's extract of a study.",
    "notices:write": "Draft and publish notices, and publish the association's own policy.",
    "recipients:write": "Register parties outside the house and their keys.",
    "recipients:read": "List parties outside the house, and the fingerprints of their keys to compare.",
    "clients:write": "Propose API clients and new keys for them, and revoke them.",
    "clients:read": "List API clients and what they may.",
    "staff:write": "Propose and end accounts of staff.",
    "staff:read": "List accounts of staff by id, never by name.",
    "keys:write": "Propose what is done with the association's keys, and say that a named copy of them is gone.",
    "keys:read": "List what was proposed to be done with the association's keys.",
    "orders": "Register orders of judicial and regulatory authorities and ask about them.",
    "disclosures": "Request disclosures and fetch their packages.",
    "erasures": "Ask for the erasure of a person's data.",
    "log:read": "Read the access log and who saw a person.",
    "log:verify": "Fetch checkpoints, proofs and tiles of the access log.",
    "requests": "Work on people's requests about their data: see, extend, refuse and answer them, and prepare a copy.",
    "reports": "Work on breach reports and incidents.",
    "reports:enter": "Take down breach reports told by telephone, letter, social account, at the counter or by a processor; read none.",
    "approve": "Approve what another person has proposed.",
}

SCOPES: Final[Mapping[str, str]] = {**SYSTEM, **PEOPLE}

DUTIES: Final = frozenset({"subject_request", "breach_notice", "rights_notice", "legal_record"})
"""Scopes of the association's own duties, given one by one and never with the client that `init` makes."""

FORM: Final = "applications:write"
"""The scope of a public form, whose key lies where strangers come by (004 5-2): it stores, and reads nothing."""

BESIDE_FORM: Final = frozenset({"notices:read", "consents:write"})
"""What such a key may hold besides: the words it shows, and what was agreed to under them. Neither tells anything of anybody."""

SYSTEM_SCOPES: Final = tuple(scope for scope in SYSTEM if scope not in DUTIES and scope != FORM)

PARTY_SCOPES: Final = (
    *("contacts:read", "decisions:ask", "notices:read", "questions:ask", "recalls:confirm", "records:read", "referrals:answer"),
)
"""All that the system of a party outside the house may hold."""

Role = Literal["administrator", "officer", "second", "custodian", "clerk", "caseworker"]

KEYS: Final = "keys:write"
CUSTODIAN: Final = "custodian"
"""Whoever holds this role keeps the keys; as soon as there is one, administrators keep them no longer."""

SCREEN: Final = "screen"

CASEWORKER: Final = "caseworker"
"""Whoever holds this role reads, at the screen of a client, the people assigned to her or to her unit and nobody else."""

ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "administrator": (
        "notices:read",
        "purposes:write",
        "types:write",
        "studies:write",
        "notices:write",
        "recipients:write",
        "recipients:read",
        "clients:write",
        "clients:read",
        "staff:write",
        "staff:read",
        "keys:write",
        "keys:read",
        "log:verify",
    ),
    "officer": (
        "records:list",
        "consents:write",
        "consents:read",
        "consents:verify",
        "decisions:ask",
        "decisions:reasons",
        "notices:read",
        "recipients:write",
        "recipients:read",
        "orders",
        "disclosures",
        "publications:write",
        "research",
        "erasures",
        "log:read",
        "log:verify",
        "reports",
        "reports:enter",
        "requests",
        "requests:write",
        "evidence:write",
        "clients:read",
        "staff:read",
        "keys:read",
        "assignments:write",
        "assignments:read",
        "approve",
    ),
    "second": ("notices:read", "clients:read", "staff:read", "recipients:read", "keys:read", "approve"),
    CUSTODIAN: ("notices:read", KEYS, "keys:read", "log:verify"),
    "clerk": (SCREEN, "notices:read", "reports:enter"),
    CASEWORKER: (SCREEN, "notices:read", "reports:enter"),
}


APART: Final = tuple(frozenset(pair) for pair in combinations(ROLES, 2))
"""Roles that no one person holds together, which are all of them: who lays down does not approve, `second` approves what others do and does
nothing else, and who sees values neither gives cases out nor looks into what others saw."""


def scopes_of(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes of these roles together, in alphabetical order. Raises KeyError for a role there is none of."""
    return tuple(sorted({scope for role in roles for scope in ROLES[role]}))


def require_system(scopes: Iterable[str], *, internal: bool) -> tuple[str, ...]:
    """Return a client's scopes, sorted and each once. Raises Invalid for one such a client cannot hold, or not beside the others."""
    wanted = sorted(set(scopes))
    if not wanted or any(scope not in (SYSTEM if internal else PARTY_SCOPES) for scope in wanted):
        raise Invalid([FieldError("scopes", "out-of-range")])
    if FORM in wanted and not set(wanted) <= {FORM, *BESIDE_FORM}:
        raise Invalid([FieldError("scopes", "out-of-range")])
    return tuple(wanted)


def require_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Return a person's roles, sorted and each once. Raises Invalid where one is unknown or two are of those kept apart."""
    wanted = sorted(set(roles))
    if not wanted or any(role not in ROLES for role in wanted) or any(pair <= set(wanted) for pair in APART):
        raise Invalid([FieldError("roles", "out-of-range")])
    return tuple(wanted)
