"""A person's request about her own data (law 4, implementing regulation 3) as it is laid down, and how a deed answers it.

Invariants: what is laid down is random references, codes and times; what was said lies sealed in her own history. A deed that names a
request is written into it by the entry of that very deed, and only while the request is open, hers, of a kind such a deed answers, and
after somebody checked who asks.
"""

from collections.abc import Collection, Mapping
from typing import Final, Literal

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.rulebook import facts
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact

OPENED: Final = "request.opened"
"""The kind of the entry that takes a request down."""
RequestKind = Literal["knowledge", "access", "copy", "correction", "completion", "destruction", "withdrawal", "complaint"]
What = Literal["copy", "correction", "erasure", "withdrawal"]
State = Literal["received", "verified", "answered", "refused", "taken-back"]
Outcome = Literal["", "answered", "refused", "taken-back"]

NEEDS: Final[Mapping[RequestKind, What]] = {
    "copy": "copy",
    "correction": "correction",
    "completion": "correction",
    "destruction": "erasure",
    "withdrawal": "withdrawal",
}
"""The deed without which a request of a kind is not answered; the other kinds are answered in words."""

FITS: Final[Mapping[What, frozenset[RequestKind]]] = {
    "copy": frozenset({"copy", "access"}),
    "correction": frozenset({"correction", "completion"}),
    "erasure": frozenset({"destruction"}),
    "withdrawal": frozenset({"withdrawal"}),
}
"""The kinds of request a deed may name."""


class CheckFact(Fact, frozen=True):
    """That somebody looked into who asks: how, whether it is she or who speaks for her, by whom and when."""

    result: Literal["verified", "failed"]
    method: str
    by: str
    at: int


class ExtensionFact(Fact, frozen=True):
    """The one extension: the reason of the law's list, by whom and when, and when the answer was due before."""

    reason: str
    by: str
    at: int
    due_before: int


class CopyFact(Fact, frozen=True):
    """That a copy may be made: the public key it is sealed to, and who saw or took the key."""

    key: str
    prepared_by: str
    prepared_at: int


class DoneFact(Fact, frozen=True):
    """A deed that answers: `reference` is the record, erasure or consent (hex), `version` that of the request its own entry wrote."""

    what: What
    reference: str
    version: int
    by: str
    at: int


class RequestFact(Fact, frozen=True):
    """A request of a person: what, by which channel, by whose word ("self" or a guardian's id), until when, and what became of it.

    Times in microseconds UTC, ids in hexadecimal; `received_at` is when she said it, wherever that was, and the clock runs from there.
    """

    id: str
    subject: str
    record: str
    kind: RequestKind
    channel: str
    given_by: str
    received_at: int
    opened_at: int
    opened_by: str
    due_at: int
    identity: CheckFact | None = None
    extension: ExtensionFact | None = None
    copy: CopyFact | None = None
    deeds: tuple[DoneFact, ...] = ()
    outcome: Outcome = ""
    reason: str = ""
    settled_by: str = ""
    settled_at: int | None = None

    @property
    def is_verified(self) -> bool:
        """Whether somebody found that it is she who asks, or who speaks for her."""
        return self.identity is not None and self.identity.result == "verified"

    @property
    def state(self) -> State:
        """How it stands."""
        return self.outcome or ("verified" if self.is_verified else "received")

    def is_overdue(self, now: int) -> bool:
        """Whether its answer was due and there is none."""
        return not self.outcome and self.due_at <= now


REQUEST: Kind[RequestFact] = Kind("rights_request", RequestFact, in_book=False)


def of(deed: Deed, request: bytes) -> RequestFact:
    """The request of this id. Raises NotFound, Unavailable `integrity`."""
    found = facts.read(deed, REQUEST, request.hex())
    if found is None:
        raise NotFound
    return found


def require_open(found: RequestFact) -> None:
    """Raise Conflict `request-settled` for one that was answered, refused or taken back."""
    if found.outcome:
        raise Conflict("request-settled")


def require_verified(found: RequestFact) -> None:
    """Raise Conflict `request-settled`, or `identity-unchecked` for one of which nobody knows yet that it is hers."""
    require_open(found)
    if not found.is_verified:
        raise Conflict("identity-unchecked")


def require_answered_by(deed: Deed, request: bytes, subjects: Collection[bytes], what: What) -> RequestFact:
    """The request that a deed about this person may name, by the ids of her sheets.

    Raises Invalid `unknown-request` for none of hers and `request-kind` where it asks for something else, and as `require_verified`.
    """
    found = facts.read(deed, REQUEST, request.hex())
    if found is None or bytes.fromhex(found.subject) not in subjects:
        raise Invalid([FieldError("request", "unknown-request")])
    if found.kind not in FITS[what]:
        raise Invalid([FieldError("request", "request-kind")])
    require_verified(found)
    return found


def done(deed: Deed, found: RequestFact, what: What, reference: str, by: str) -> DoneFact:
    """A deed of this moment, as the next version of the request has it."""
    return DoneFact(what=what, reference=reference, version=facts.version(deed, REQUEST, found.id) + 1, by=by, at=deed.now)


def answering(deed: Deed, found: RequestFact, what: What, reference: str, by: str) -> WrittenFact:
    """Write the deed into the request it answers; the caller puts what is returned into the entry of the deed itself."""
    told = msgspec.structs.replace(found, deeds=(*found.deeds, done(deed, found, what, reference, by)))
    return facts.write(deed, REQUEST, found.id, told)
