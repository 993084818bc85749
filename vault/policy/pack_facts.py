"""What a policy pack says, as frozen facts; read by `pack_file`, loaded by `pack`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vault.policy.facts import Form, Purpose

FEW_VALUES: Final = frozenset({"choice", "integer", "date", "postal_code", "attachment"})
"""Kinds of which the possible values are so few, or so unevenly spread, that counting equal tokens tells them: never searchable.

Nor is a file, which nobody types in order to find it.
"""


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in Arabic and in English."""

    ar: str
    en: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record type; `id` (u16) stands in sealed containers and never changes."""

    name: str
    id: int
    kind: str
    class_name: str
    label: Text
    searchable: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """A question about one field with its one fixed constant: yes, no or unknown is given in the place of the value.

    Of the four tests one is set: `younger_than` in full Hijri years, `below` exclusive, `one_of` these words, `begins_with` this code.
    """

    name: str
    field: str
    label: Text
    younger_than: int | None = None
    below: int | None = None
    one_of: tuple[str, ...] = ()
    begins_with: str = ""


@dataclass(frozen=True, slots=True)
class RecordType:
    """A kind of record; of each group in `either` one field must be there, and `predicates` is what may be asked in place of a value."""

    name: str
    id: int
    label: Text
    fields: Mapping[str, Field]
    either: tuple[tuple[str, ...], ...] = ()
    predicates: tuple[Predicate, ...] = ()


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The provisional notice of one purpose: its eleven parts, and the text they make."""

    parts: Mapping[str, Text]
    text: Text


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach the association, and the forms of consent that it can capture; the telephone takes down a spoken word only."""

    label: Text
    forms: frozenset[Form] = frozenset()


@dataclass(frozen=True, slots=True)
class Review:
    """Months after which a record, and the policy itself, is to be looked at again (004 6.4)."""

    record_months: int = 12
    policy_months: int = 12


@dataclass(frozen=True, slots=True)
class Switches:
    """What a pack opens beyond its articles; everything not opened is shut."""

    sharing: str = "order_only"
    vital_interest: bool = False
    sale: bool = False


@dataclass(frozen=True, slots=True)
class Pack:
    """A policy pack; `purposes` are its own, `classes` those of the law. Times in the units their names tell.

    `extends` names the pack it was laid over, empty for one that stands alone.
    """

    name: str
    kind: str
    version: str
    effective_from: str
    source: str
    title: Text
    law: str
    articles: Mapping[str, Text]
    purposes: Mapping[str, Purpose]
    labels: Mapping[str, Text]
    classes: Mapping[str, int] = field(default_factory=dict)
    explicit_classes: frozenset[str] = frozenset()
    switches: Switches = Switches()
    channels: Mapping[str, Channel] = field(default_factory=dict)
    review: Review = Review()
    reply: Mapping[str, int] = field(default_factory=dict)
    retention_months: Mapping[str, int] = field(default_factory=dict)
    report_categories: Mapping[str, Text] = field(default_factory=dict)
    record_types: Mapping[str, RecordType] = field(default_factory=dict)
    notices: Mapping[str, NoticeText] = field(default_factory=dict)
    extends: str = ""
