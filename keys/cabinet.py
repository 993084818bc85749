"""The open keys of one association, each for its one use; made when the vault is unsealed and never written anywhere."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self

from keys.blind_index import Index
from keys.errors import Unopenable
from keys.facts import FactMac
from keys.keyring import SUCCEEDED, AssociationKeys, DataKey, later
from keys.notes import Signer
from keys.secret import Unspoken
from keys.tokens import Pepper

# Classes of the data keys that are no field class: a person's sheet, the association's own facts, scans of signed forms.
SHEET_CLASS = 1
FACTS_CLASS = 2
EVIDENCE_CLASS = 64
OWN = ("index_root", "signing", "pepper", "journal", "idempotency")
FACTS = "facts"


@dataclass(frozen=True, slots=True)
class Cabinet(Unspoken):
    """One association's keys: its epochs, the key of its facts, and those that sign, hash and index."""

    keys: AssociationKeys
    facts: DataKey
    pepper: Pepper
    journal: FactMac
    idempotency: FactMac
    signer: Signer
    index: Index

    @classmethod
    def open(cls, keys: AssociationKeys, wrapped: Mapping[str, bytes], log_name: str) -> Self:
        """Open the cabinet from the wrapped keys by name; `log_name` is the key name on signed notes. Raises Unopenable."""
        return cls(
            keys=keys,
            facts=keys.unwrap(keys.association, FACTS_CLASS, wrapped.get(FACTS, b"")),
            pepper=Pepper(keys.named("pepper", wrapped.get("pepper", b""))),
            journal=FactMac(keys.named("journal", wrapped.get("journal", b""))),
            idempotency=FactMac(keys.named("idempotency", wrapped.get("idempotency", b""))),
            signer=Signer(log_name, *(keys.named(name, wrapped.get(name, b"")) for name in signing_names(wrapped))),
            index=Index(keys.named("index_root", wrapped.get("index_root", b"")), keys.association),
        )

    def signing_as(self, log_name: str) -> Self:
        """The same cabinet, its notes signed under another name: that of the log's later epoch."""
        return replace(self, signer=self.signer.named(log_name))

    def __repr__(self) -> str:
        """Name the association's keys and nothing of them."""
        return f"Cabinet({self.keys!r})"


def signing_names(wrapped: Collection[str]) -> tuple[str, ...]:
    """Return the names of the signing keys, oldest first, the first in any case. Unopenable where one between them is missing."""
    names = {name for name in wrapped if name == SUCCEEDED or str(name).startswith(f"{SUCCEEDED}-")}
    found = tuple(later(SUCCEEDED, generation) for generation in range(1, max(len(names), 1) + 1))
    if not names <= set(found):
        raise Unopenable
    return found


def furnish(keys: AssociationKeys) -> dict[str, bytes]:
    """Make the association's own keys and return them wrapped, by name, for the table that keeps them."""
    return {FACTS: keys.new_key(keys.association, FACTS_CLASS)[1], **{name: keys.new_named(name) for name in OWN}}
