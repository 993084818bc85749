"""A purpose or record type as somebody wants it laid down, held against the pack: narrower is a fact, wider is refused member by member.

Invariants: action, article and law are always those of a purpose of the pack; numbers of fields and classes are always the pack's; a field
of few possible values is never searchable, since its tokens would tell it by their frequency. Sources: 002 articles 1 and 3, DESIGN 3.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from vault.errors import FieldError, Invalid
from vault.identity.packs import purpose_fact, record_type_fact
from vault.policy import pack as packs
from vault.policy.facts import Action, Channel, Form, Proof, Purpose
from vault.policy.pack import Field, Pack, Predicate, RecordType, Text, type_within, within
from vault.policy.pack_facts import FEW_VALUES
from vault.policy.predicates import unsound
from vault.rulebook.book import purpose_of
from vault.rulebook.shapes import PurposeFact, RecordTypeFact

WIDER: Final = "wider-than-pack"
LONGEST_LABEL: Final = 200
LOWEST, HIGHEST = 0, 10**12
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{1,31}", re.ASCII)
_NARROWING: Final = ("action", "article", "forms", "classes", "internal_only", "double_opt_in", "honours_gpc", "proof", "channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPurpose:
    """A purpose as asked for; what is None is as the pack has it."""

    action: Action
    forms: frozenset[Form]
    article: str | None = None
    classes: frozenset[str] | None = None
    internal_only: bool | None = None
    double_opt_in: bool | None = None
    honours_gpc: bool | None = None
    proof: Proof | None = None
    channel: Channel | None = None
    title: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedField:
    """A field as asked for; what is None is as the pack has it."""

    name: str
    kind: str
    class_name: str
    searchable: bool
    required: bool
    label: Text | None = None
    choices: tuple[str, ...] | None = None
    low: int | None = None
    high: int | None = None


def purpose(pack: Pack, code: str, wanted: WantedPurpose) -> PurposeFact:
    """The purpose laid down under this code: the pack's own, narrowed, or a new one within a purpose of consent of the pack.

    Raises Invalid, `wider-than-pack` where it would allow what the pack does not.
    """
    _require_code(code, "code")
    _require_label(wanted.title, "title")
    laid = packs.together(pack)
    if code in laid:
        _require_narrowable(laid[code], wanted)
        own = _like(laid[code], wanted, code)
        if not within(own, laid[code]):
            raise Invalid(_wider(laid[code], wanted), WIDER)
        labels = {**pack.labels, **packs.load(pack.law).labels}
        return purpose_fact(own, wanted.title or labels[code])
    if wanted.title is None:
        raise Invalid([FieldError("title", "missing")])
    fits = [own for each in pack.purposes.values() if each.basis == "consent" and within(own := _like(each, wanted, code), each)]
    if not fits:
        raise Invalid([FieldError("action" if wanted.article is None else "article", WIDER)], WIDER)
    if len({(own.article, own.law) for own in fits}) > 1:
        raise Invalid([FieldError("article", "missing")])
    # Of several means of contact none is meant where none was named: then nobody is contacted for this purpose.
    own = fits[0] if len({each.channel for each in fits}) == 1 else replace(fits[0], channel="")
    return purpose_fact(own, wanted.title, from_pack=False)


def record_type(
    pack: Pack,
    name: str,
    wanted: Sequence[WantedField],
    one_of: tuple[tuple[str, ...], ...] | None,
    predicates: tuple[Predicate, ...] | None = None,
) -> RecordTypeFact:
    """The record type laid down under this name: the pack's own, narrowed, or a new one within a type of the pack.

    What may be asked in the place of a value is the association's to declare: it tells less than the value, on the same verdict.
    A new type has schema 0 until its approval settles one. Raises Invalid, `wider-than-pack` where it would keep what the pack does not.
    """
    _require_code(name, "name")
    _require_sound(wanted, one_of or ())
    own = pack.record_types.get(name)
    laid = [own] if own is not None else list(pack.record_types.values())
    fits = [made for each in laid if type_within(made := _typed(each, name, wanted, one_of, predicates), each)]
    if not fits:
        raise Invalid(_outside(laid, wanted), WIDER)
    if wrong := unsound(fits[0].fields, fits[0].predicates):
        raise Invalid([FieldError(f"predicates.{number}", code) for number, code in wrong])
    for number, each in enumerate(predicates or ()):
        _require_label(each.label, f"predicates.{number}.labels")
    return record_type_fact(fits[0] if own is not None else replace(fits[0], id=0), pack.classes)


def require_purpose_within(pack: Pack, fact: PurposeFact) -> None:
    """Hold a purpose that was proposed against the pack as it is now. Raises Invalid `wider-than-pack`."""
    laid, wanted = packs.together(pack), purpose_of(fact)
    own = laid.get(fact.code)
    wide = [own] if own is not None else [each for each in pack.purposes.values() if each.basis == "consent"]
    if not any(within(wanted, each) for each in wide):
        raise Invalid([FieldError("proposal", WIDER)], WIDER)


def require_type_within(pack: Pack, fact: RecordTypeFact) -> None:
    """Hold a record type that was proposed against the pack as it is now. Raises Invalid `wider-than-pack`."""
    own = pack.record_types.get(fact.name)
    wide = [own] if own is not None else list(pack.record_types.values())
    settled = all(pack.classes.get(each.field_class) == each.class_id for each in fact.fields)
    if not settled or not any(type_within(_type_of(fact), each) for each in wide):
        raise Invalid([FieldError("proposal", WIDER)], WIDER)


def _type_of(fact: RecordTypeFact) -> RecordType:
    """A record type's fact as a pack declares a type; its labels widen nothing and are left out."""
    blank = Text("", "")
    fields = {
        each.name: Field(
            each.name,
            each.number,
            each.kind,
            each.field_class,
            blank,
            searchable=each.searchable,
            required=each.required,
            choices=each.choices,
            low=each.low,
            high=each.high,
        )
        for each in fact.fields
    }
    return RecordType(fact.name, fact.schema, blank, fields, fact.one_of)


def _require_narrowable(base: Purpose, wanted: WantedPurpose) -> None:
    """An order of an authority names its fields itself, so a purpose that rests on one can be given another title and nothing else."""
    if base.basis == "order":
        wrong = [name for name, value in _said(wanted).items() if value != getattr(base, name)]
        if wrong:
            raise Invalid([FieldError(name, WIDER) for name in wrong], WIDER)


def _like(base: Purpose, wanted: WantedPurpose, code: str) -> Purpose:
    return replace(base, code=code, **_said(wanted))


def _said(wanted: WantedPurpose) -> dict[str, Any]:
    """The members that were asked for, by name."""
    return {name: getattr(wanted, name) for name in _NARROWING if getattr(wanted, name) is not None}


def _wider(base: Purpose, wanted: WantedPurpose) -> list[FieldError]:
    """Each member that alone would widen the purpose."""
    wrong = [name for name, value in _said(wanted).items() if not within(replace(base, **{name: value}), base)]
    return [FieldError(name, WIDER) for name in wrong]


def _typed(
    base: RecordType,
    name: str,
    wanted: Sequence[WantedField],
    one_of: tuple[tuple[str, ...], ...] | None,
    predicates: tuple[Predicate, ...] | None,
) -> RecordType:
    fields = {each.name: _field(base.fields.get(each.name), each) for each in wanted}
    either = one_of if one_of is not None else tuple(group for group in base.either if set(group) <= fields.keys())
    asked = predicates if predicates is not None else tuple(each for each in base.predicates if each.field in fields)
    return RecordType(name, base.id, base.label, fields, either, asked)


def _field(laid: Field | None, wanted: WantedField) -> Field:
    known = laid or Field(wanted.name, 0, wanted.kind, wanted.class_name, Text("", ""))
    return replace(
        known,
        kind=wanted.kind,
        class_name=wanted.class_name,
        searchable=wanted.searchable,
        required=wanted.required,
        label=wanted.label or known.label,
        choices=known.choices if wanted.choices is None else wanted.choices,
        low=known.low if wanted.low is None else wanted.low,
        high=known.high if wanted.high is None else wanted.high,
    )


def _outside(laid: Sequence[RecordType], wanted: Sequence[WantedField]) -> list[FieldError]:
    """Each field, by its number in the list, that no type it could be of declares like this; all of them where it is the whole."""
    wrong = [number for number, each in enumerate(wanted) if not any(_declares(base, each) for base in laid)]
    return [FieldError(f"fields.{number}", WIDER) for number in wrong] or [FieldError("fields", WIDER)]


def _declares(base: RecordType, wanted: WantedField) -> bool:
    laid = base.fields.get(wanted.name)
    alone = RecordType(base.name, base.id, base.label, {wanted.name: _field(laid, wanted)}, ())
    return laid is not None and type_within(alone, replace(base, fields={wanted.name: replace(laid, required=False)}, either=()))


def _require_sound(wanted: Sequence[WantedField], one_of: Sequence[Sequence[str]]) -> None:
    errors = []
    names = [each.name for each in wanted]
    if not names or len(set(names)) != len(names):
        errors.append(FieldError("fields", "out-of-range"))
    for number, each in enumerate(wanted):
        if each.searchable and each.kind in FEW_VALUES:
            errors.append(FieldError(f"fields.{number}.searchable", "low-cardinality"))
        if any(bound is not None and not LOWEST <= bound <= HIGHEST for bound in (each.low, each.high)):
            errors.append(FieldError(f"fields.{number}.low", "out-of-range"))
        _require_label(each.label, f"fields.{number}.labels")
    if any(not group or not set(group) <= set(names) for group in one_of):
        errors.append(FieldError("one_of", "unknown-field"))
    if errors:
        raise Invalid(errors)


def _require_code(text: str, member: str) -> None:
    if _CODE.fullmatch(text) is None:
        raise Invalid([FieldError(member, "out-of-range")])


def _require_label(label: Text | None, member: str) -> None:
    if label is not None and not all(0 < len(text) <= LONGEST_LABEL and text.isprintable() for text in (label.ar, label.en)):
        raise Invalid([FieldError(member, "out-of-range")])


def text_of(said: Mapping[str, str] | None, member: str) -> Text | None:
    """A label in both languages, None where none was given. Raises Invalid for one language alone or a third."""
    if said is None:
        return None
    if said.keys() != {"ar", "en"}:
        raise Invalid([FieldError(member, "missing")])
    return Text(said["ar"], said["en"])
