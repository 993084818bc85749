"""A policy pack as the facts of one association: purposes, record types and the provisional notices of its first day.

Invariant: nothing is widened on the way; a purpose's fact says what the pack says, word for word.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from vault.policy import pack as packs
from vault.policy.facts import Purpose
from vault.policy.pack import Pack, Text
from vault.policy.pack import RecordType as PackType
from vault.rulebook.pinned import PackFact
from vault.rulebook.shapes import FieldFact, NoticeFact, PredicateFact, PurposeFact, RecordTypeFact

T = TypeVar("T", bound=msgspec.Struct)


def purpose_facts(pack: Pack) -> list[PurposeFact]:
    """Return the pack's purposes and the law's duties, by code."""
    labels = {**pack.labels, **packs.load(pack.law).labels}
    return [purpose_fact(purpose, labels[code]) for code, purpose in sorted(packs.together(pack).items())]


def record_type_facts(pack: Pack) -> list[RecordTypeFact]:
    """Return the pack's record types, by name."""
    return [record_type_fact(each, pack.classes) for _, each in sorted(pack.record_types.items())]


def provisional_notices(pack: Pack, now: int, *, entropy: Callable[[int], bytes] = os.urandom) -> list[NoticeFact]:
    """Return version 1 of the notice of each purpose, published now and marked provisional: nobody has approved it yet."""
    return [_notice(pack, code, now, entropy(16).hex()) for code in sorted(pack.notices)]


def notice_fields(pack: Pack, purpose: Purpose) -> tuple[str, ...]:
    """Return every field of the pack's record types that the purpose may touch at all: what a provisional notice covers."""
    return tuple(
        sorted(
            {
                each.name
                for record_type in pack.record_types.values()
                for each in record_type.fields.values()
                if purpose.classes is None or each.class_name in purpose.classes
            },
        ),
    )


def purpose_fact(purpose: Purpose, label: Text, *, from_pack: bool = True) -> PurposeFact:
    """Return the purpose as a fact, word for word, with its title in both languages."""
    return PurposeFact(**{**_shared(PurposeFact, purpose), "title": {"ar": label.ar, "en": label.en}, "from_pack": from_pack})


def record_type_fact(each: PackType, classes: Mapping[str, int]) -> RecordTypeFact:
    """Return the record type as a fact, its fields in the order of their numbers."""
    fields = tuple(
        FieldFact(
            **{
                **_shared(FieldFact, one),
                "number": one.id,
                "field_class": one.class_name,
                "class_id": classes[one.class_name],
                "labels": {"ar": one.label.ar, "en": one.label.en},
            },
        )
        for one in sorted(each.fields.values(), key=lambda one: one.id)
    )
    predicates = tuple(
        PredicateFact(**{**_shared(PredicateFact, one), "labels": {"ar": one.label.ar, "en": one.label.en}}) for one in each.predicates
    )
    return RecordTypeFact(name=each.name, schema=each.id, fields=fields, one_of=each.either, predicates=predicates)


def first_version(pack: Pack, now: int) -> PackFact:
    """Return the shipped pack as the first version an association is under: its words, and nobody's approval but the founding's."""
    words = packs.shipped(pack.name)
    return PackFact(number=1, name=pack.name, version=pack.version, sha256=words.sha256, own=words.own, below=words.below, approved_at=now)


def _notice(pack: Pack, code: str, now: int, identifier: str) -> NoticeFact:
    said = pack.notices[code]
    texts = {"ar": said.text.ar, "en": said.text.en}
    return NoticeFact(
        id=identifier,
        version=1,
        purpose=code,
        state="published",
        texts=texts,
        sha256={language: hashlib.sha256(text.encode()).hexdigest() for language, text in texts.items()},
        fields=notice_fields(pack, pack.purposes[code]),
        parts={part: text.ar for part, text in said.parts.items()},
        provisional=True,
        published_at=now,
    )


def _shared(shape: type[T], said: object) -> dict[str, Any]:
    """The members of a fact that the pack's own word for it has too; sets in alphabetical order, so that the bytes are settled."""
    members = {name: getattr(said, name) for name in shape.__struct_fields__ if hasattr(said, name)}
    return {name: tuple(sorted(value)) if isinstance(value, frozenset) else value for name, value in members.items()}
