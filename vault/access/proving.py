"""Holds evidence of an incident against the log it came from: every entry under its checkpoint, and the same question asked anew.

Invariants: the entries are read again, hashed again, and proven under the root that was signed when the evidence was saved, so that who
altered one afterwards would have to forge that signature; the first entry that does not hold is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vault.access.touches import AT_ONCE, Span, bodies, touched
from vault.access_log.checkpoint import Checkpoint, grown
from vault.access_log.merkle import included, inclusion, leaf_hash
from vault.access_log.tiles import with_hashes
from vault.breach_reports.evidence_facts import EvidenceFact, EvidencePage
from vault.errors import Unavailable
from vault.storage.transaction import Transaction

Fault = Literal["", "entry-altered", "entry-missing", "answer-differs", "log-forked"]


@dataclass(frozen=True, slots=True)
class Proven:
    """What holding it against the log found: nothing, or the first entry that does not hold and why."""

    fault: Fault = ""
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What is proven: the evidence with its pages, the checkpoint it was saved under."""

    fact: EvidenceFact
    pages: Sequence[EvidencePage]
    saved: Checkpoint

    @property
    def rows(self) -> list[tuple[int, str]]:
        """The entries by number and leaf hash, each once, ascending."""
        return sorted({row for page in self.pages for person in page.people for row in person.rows})


def entries_hold(transaction: Transaction, association: bytes, proof: Proof) -> Proven:
    """Hold the evidence against the log, entry by entry: is each as it was hashed, and was it in the log that was signed."""
    rows = proof.rows
    for at in range(0, len(rows), AT_ONCE):
        slab = rows[at : at + AT_ONCE]
        found = bodies(transaction, association, [number for number, _ in slab])
        for number, leaf in slab:
            body = found.get(number)
            if body is None:
                return Proven("entry-missing", number)
            if not isinstance(body, bytes) or leaf_hash(body).hex() != leaf:
                return Proven("entry-altered", number)
    return _under_the_root(transaction, association, proof, rows)


def _under_the_root(transaction: Transaction, association: bytes, proof: Proof, rows: Sequence[tuple[int, str]]) -> Proven:
    for at in range(0, len(rows), AT_ONCE):
        slab = rows[at : at + AT_ONCE]
        try:
            paths = audit_paths(transaction, association, [number for number, _ in slab], proof.saved.size)
        except Unavailable:
            return Proven("log-forked")
        for number, leaf in slab:
            if not included(number, proof.saved.size, bytes.fromhex(leaf), paths[number], proof.saved.root):
                return Proven("log-forked", number)
    return Proven()


def audit_paths(transaction: Transaction, association: bytes, numbers: Sequence[int], size: int) -> dict[int, list[bytes]]:
    """The audit paths of these entries in the log of a size. Raises Unavailable `integrity` where the log's own hashes cannot be read."""
    return with_hashes(transaction, association, lambda hash_at: {number: inclusion(number, size, hash_at) for number in numbers})


def answer_holds(transaction: Transaction, association: bytes, proof: Proof, newest: Checkpoint) -> Proven:
    """Whether the same question, asked anew, has the same answer, and the log signed then is the beginning of that signed now."""
    fact = proof.fact
    try:
        again = touched(transaction, association, Span(fact.hand, fact.first, fact.end)).without(tuple(map(bytes.fromhex, fact.hidden)))
        forked = not grown(transaction, association, proof.saved, newest)
    except Unavailable:
        # An entry of this hand that is not in the evidence cannot be read: the log no longer answers.
        return Proven("log-forked")
    now = {(subject.hex(), number) for subject, person in again.items() for number, _ in person.rows}
    then = {(person.subject, number) for page in proof.pages for person in page.people for number in person.numbers}
    if now != then:
        return Proven("answer-differs", min(number for _, number in now ^ then))
    return Proven("log-forked") if forked else Proven()
