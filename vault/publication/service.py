"""Publishes an association's own policy document as its next version.

Invariants: one deed, one entry `policy.published` that names document and association as written; a version is never changed or taken back;
what staff must acknowledge (article 2) moves with the document in the same deed.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.errors import FieldError, Invalid, Unavailable
from vault.publication import document, versions
from vault.publication.versions import POLICY, PolicyFact
from vault.rulebook import facts
from vault.rulebook.approval_day import approval_day
from vault.rulebook.approving import Factor
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import ASSOCIATION
from vault.storage.idempotency import Once, made_before, remember

CREATED: Final = 201
KIND: Final = "policy.published"
LONGEST_NAME: Final = 200
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Document:
    """A document handed in: its text, the body or person that approved it, on which day, and a one-time code of who publishes."""

    text: str
    approved_by: str
    approved_on: str
    code: str | None = None


def publish(deed: Deed, errand: Errand, given: Document, factor: Factor, once: Once | None) -> PolicyFact:
    """Publish the document as the next version; a repeat of the same request gives the version it made.

    Raises DocumentRefused, Invalid, a refusal `step-up-required`, TooMany, Unavailable `integrity`.
    """
    errand = errand.still(deed)
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return _made(deed, int.from_bytes(made, "big"))
    content = document.read(given.text.encode())
    own = errand.book(deed).association
    every = versions.history(deed.transaction.connection, deed.cabinet, deed.association, own.published_policy)
    policy = PolicyFact(
        version=every[0].version + 1 if every else 1,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        size=len(content.encode()),
        approved_by=_name(given.approved_by),
        approved_on=approval_day(given.approved_on, deed.now),
        published_at=deed.now,
        published_by=errand.hand,
    )
    approval = factor.approve(deed, errand.asker, given.code, kind=KIND)
    acknowledged = facts.write(deed, ASSOCIATION, own.code, msgspec.structs.replace(own, published_policy=policy.sha256))
    written = (*approval.facts, acknowledged, *versions.write(deed, policy, content))
    entry = errand.entry(kind=KIND, outcome="allow", article=f"{own.pack}:5", facts=written, flags=approval.flags)
    deed.append(entry, changes_law=True)
    if once is not None:
        remember(deed.transaction, deed.association, once, policy.version.to_bytes(_ID_BYTES, "big"), CREATED)
    return policy


def _made(deed: Deed, version: int) -> PolicyFact:
    policy = facts.read(deed, POLICY, str(version))
    if policy is None:
        raise Unavailable("integrity")
    return policy


def _name(text: str) -> str:
    """The approving body's or person's name, of which every character is seen."""
    name = text.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid([FieldError("approved_by", "out-of-range")])
    return name
