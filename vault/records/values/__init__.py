"""Saudi field types: pure functions from what was typed to what is stored, found by and suggested.

Invariant: whatever string comes in, each returns its value or raises `ValueRefused` with a stable code that never holds the input.
"""

from vault.records.values.addresses import national_address
from vault.records.values.capacity import Capacity, begins, full_capacity
from vault.records.values.cleaning import ValueRefused, clean
from vault.records.values.contact import email, mobile
from vault.records.values.dates import PartialDate, date
from vault.records.values.identifiers import check_digit, iban, iban_check, national_id, postal_code, short_address, unified_number
from vault.records.values.kinds import KINDS, Options, Stored, normalise, search_key, stored_key
from vault.records.values.names import NAME_KEYS_VERSION, Name, name, same_loose, same_strict
from vault.records.values.plain import choice, integer, text

__all__ = [
    "KINDS",
    "NAME_KEYS_VERSION",
    "Capacity",
    "Name",
    "Options",
    "PartialDate",
    "Stored",
    "ValueRefused",
    "begins",
    "check_digit",
    "choice",
    "clean",
    "date",
    "email",
    "full_capacity",
    "iban",
    "iban_check",
    "integer",
    "mobile",
    "name",
    "national_address",
    "national_id",
    "normalise",
    "postal_code",
    "same_loose",
    "same_strict",
    "search_key",
    "short_address",
    "stored_key",
    "text",
    "unified_number",
]
