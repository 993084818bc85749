"""A receipt as it is handed over, and how whoever holds one checks it without the vault: a signed note of one line of JSON.

Invariants: the line is the one form RFC 8785 gives the document, so that one meaning has one signature; nothing is fetched, no context but
our own is believed, and a member that stands twice refuses the whole. Format: docs/spec/receipt.md.
"""

import json
from typing import Any, Final

import rfc8785

from keys.errors import Unopenable
from keys.notes import Signer, verify
from vault.consent.receipt import CONTEXT, RECEIPT, Json
from vault.errors import VaultError

LONGEST: Final = 256 * 1024
"""Characters of a receipt that is read."""


class ReceiptRefused(VaultError):
    """A receipt that is none, was altered, or wants something fetched; the code says which."""

    code = "receipt-malformed"


def written(document: Json, signer: Signer) -> str:
    """The receipt as a signed note."""
    return signer.sign(rfc8785.dumps(document).decode() + "\n")


def read(note: str, vkey: str) -> Json:
    """The document of a receipt that this key signed.

    Raises ReceiptRefused: `receipt-signature`, `receipt-malformed`, `receipt-context`, `receipt-not-one`.
    """
    if len(note) > LONGEST:
        raise ReceiptRefused
    try:
        text = verify(note, vkey)
    except Unopenable:
        raise ReceiptRefused("receipt-signature") from None
    return _document(text)


def _document(text: str) -> Json:
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
        same = rfc8785.dumps(found).decode() + "\n" == text
    except (ValueError, RecursionError):
        raise ReceiptRefused from None
    if not same or not isinstance(found, dict):
        raise ReceiptRefused
    if found.get("@context") != CONTEXT or _has_context(list(found.values())[1:]):
        raise ReceiptRefused("receipt-context")
    records = found.get("dpv:hasRecordOfActivity")
    if found.get("@type") != "dpv:ConsentReceipt" or found.get("dct:conformsTo") != RECEIPT or not isinstance(records, list) or not records:
        raise ReceiptRefused("receipt-not-one")
    return found


def _once(pairs: list[tuple[str, Any]]) -> Json:
    """The members of an object; ValueError where one stands twice: two readers could take different ones."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refused(_constant: str) -> None:
    """NaN and the infinities are no JSON."""
    raise ValueError


def _has_context(value: object) -> bool:
    """Whether a context of its own stands anywhere inside, which could give every word another meaning."""
    if isinstance(value, dict):
        return "@context" in value or any(map(_has_context, value.values()))
    return isinstance(value, list) and any(map(_has_context, value))
