"""The published versions of an association's own policy: facts of the vault, one pair for each version, kept for good.

Invariants: a version counts only as the log says it was written; its text is given out only if it has the SHA-256 it was published under;
all of them are asked for together, and the association's own fact names the newest, so that one that was deleted is missed.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection

from keys.cabinet import Cabinet
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.errors import Unavailable
from vault.rulebook import facts
from vault.rulebook.approval_day import ApprovalDay
from vault.rulebook.facts import Kind
from vault.rulebook.pinned import months_after
from vault.rulebook.shapes import ASSOCIATION, Fact


class PolicyFact(Fact, frozen=True):
    """One published version: SHA-256 (hexadecimal) and size of its bytes, who approved it and when, who published it and when."""

    version: int
    sha256: str
    size: int
    approved_by: str
    approved_on: ApprovalDay
    published_at: int
    published_by: str


class PolicyTextFact(Fact, frozen=True):
    """The document of one version; in UTF-8 it is byte for byte what was handed in."""

    text: str


POLICY: Final[Kind[PolicyFact]] = Kind("policy", PolicyFact, in_book=False)
POLICY_TEXT: Final[Kind[PolicyTextFact]] = Kind("policy_text", PolicyTextFact, in_book=False)


@dataclass(frozen=True, slots=True)
class Published:
    """One version with its document, and every version there is, the newest first."""

    policy: PolicyFact
    content: bytes
    history: tuple[PolicyFact, ...]

    @property
    def is_newest(self) -> bool:
        """Tell whether no later version was published."""
        return self.policy.version == self.history[0].version


def write(deed: Deed, policy: PolicyFact, text: str) -> tuple[WrittenFact, WrittenFact]:
    """Write a version; what is returned goes into the entry of the same deed."""
    key = str(policy.version)
    return facts.write(deed, POLICY, key, policy), facts.write(deed, POLICY_TEXT, key, PolicyTextFact(text=text))


def history(connection: Connection, cabinet: Cabinet, association: bytes, newest: str) -> tuple[PolicyFact, ...]:
    """Return every version, the newest first, which has the SHA-256 that the association's own fact names ("" for none).

    Raises Unavailable `integrity` if one of them does not hold or the newest is not there.
    """
    found = facts.read_all(connection, cabinet, association, {POLICY.name}).get(POLICY.name, {})
    versions = {key: msgspec.json.decode(value, type=PolicyFact) for key, value in found.items()}
    every = tuple(sorted(versions.values(), key=lambda each: each.version, reverse=True))
    if newest != (every[0].sha256 if every else ""):
        raise Unavailable("integrity")
    return every


def review_due(newest: PolicyFact, months: int) -> dt.date:
    """Return the day on which a policy is to be looked at again, so many months after it was approved (004 6.4)."""
    return months_after(dt.date.fromisoformat(newest.approved_on.day), months)


def published(connection: Connection, cabinet: Cabinet, association: bytes, code: str, version: int | None) -> Published | None:
    """Return this version, the newest where none is named; None where there is none such. Raises Unavailable `integrity`."""
    own = facts.read_from(connection, cabinet, association, ASSOCIATION, code)
    if own is None:
        raise Unavailable("integrity")
    every = history(connection, cabinet, association, own.published_policy)
    policy = next((each for each in every if version is None or each.version == version), None)
    if policy is None:
        return None
    text = facts.read_from(connection, cabinet, association, POLICY_TEXT, str(policy.version))
    return Published(policy, _content(text, policy), every)


def _content(stored: PolicyTextFact | None, policy: PolicyFact) -> bytes:
    content = b"" if stored is None else stored.text.encode()
    if hashlib.sha256(content).hexdigest() != policy.sha256:
        raise Unavailable("integrity")
    return content
