"""What an association's purposes, record types and notices become under another pack, and what of it is otherwise than before.

Invariants: what the association narrowed stays narrowed, and what the new pack does not know is shut, not gone, since consents name it;
a type of which records are stored keeps its fields, since what is sealed already would lack a new one and lose an old one.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from vault.errors import FieldError, Invalid
from vault.identity import declared, packs
from vault.policy import changing
from vault.policy import pack as policy_packs
from vault.policy.pack import Pack, within
from vault.rulebook.book import Book, purpose_of
from vault.rulebook.shapes import NoticeFact, PurposeFact, RecordTypeFact

FIRST_OWN_SCHEMA = 0x8000
COMPARED = ("action", "basis", "forms", "classes", "internal_only", "double_opt_in", "honours_gpc", "proof", "channel", "article", "law")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written when the new pack takes the old one's place; `kept_types` stay, though the new pack has them otherwise."""

    pack: Pack
    purposes: Mapping[str, PurposeFact]
    types: Mapping[str, RecordTypeFact]
    notices: tuple[NoticeFact, ...]
    kept_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PurposeChange:
    """One purpose before and after: `added`, `changed` or `shut`; `narrower` where something it allowed is allowed no more."""

    code: str
    change: str
    narrower: bool
    before: dict[str, Any] | None
    after: dict[str, Any]


def plan(book: Book, new: Pack, own_words: Mapping[str, PurposeFact], stored: Collection[str], now: int) -> Plan:
    """The facts of the association under this pack; `own_words` are purposes as two people of it narrowed them, `stored` types in use.

    Raises Invalid `pack-refused` where numbers of the pack are taken by types that stay, and where a purpose would do another thing than
    people agreed to under its code.
    """
    laid = {each.code: each for each in packs.purpose_facts(new)}
    purposes = {code: _purpose(book, new, laid.get(code), code, own_words) for code in sorted(laid.keys() | book.purposes.keys())}
    _require_same_deeds(book, purposes)
    types = {each.name: each for each in packs.record_type_facts(new)}
    kept = tuple(sorted(name for name in types.keys() & book.types.keys() if not _may_replace(book, new, name, stored)))
    laid_types = {name: fact for name, fact in types.items() if name not in kept}
    _require_numbers(laid_types, {name: fact for name, fact in book.types.items() if name not in laid_types})
    otherwise = tuple(name for name in kept if book.types[name] != types[name])
    fresh = [one for one in packs.provisional_notices(new, now) if book.current_notice(one.purpose) is None]
    return Plan(
        pack=new,
        purposes={code: fact for code, fact in purposes.items() if fact != book.purposes.get(code)},
        types={name: fact for name, fact in laid_types.items() if fact != book.types.get(name)},
        notices=tuple(fresh),
        kept_types=otherwise,
    )


def changes(book: Book, plan_: Plan) -> list[PurposeChange]:
    """Every purpose that changes, in the order of codes."""
    return list(_changes(book, plan_))


def _changes(book: Book, plan_: Plan) -> Iterator[PurposeChange]:
    for code, fact in sorted(plan_.purposes.items()):
        old = book.purposes.get(code)
        narrower = old is not None and is_narrower(old, fact)
        change = "added" if old is None else "shut" if fact.classes == () and old.classes != () else "changed"
        yield PurposeChange(code, change, narrower, None if old is None else _told(old), _told(fact))


def is_narrower(old: PurposeFact, new: PurposeFact) -> bool:
    """Whether something the old wording allowed is allowed no more."""
    return not within(purpose_of(old), purpose_of(new))


def _told(fact: PurposeFact) -> dict[str, Any]:
    return {name: list(value) if isinstance(value := getattr(fact, name), tuple) else value for name in COMPARED}


def _purpose(book: Book, new: Pack, laid: PurposeFact | None, code: str, own_words: Mapping[str, PurposeFact]) -> PurposeFact:
    # What nobody here laid down is a pack's, or was shut by the journal or by a pack before.
    wording = own_words.get(code)
    if laid is None:
        return _without(new, book.purposes[code], wording)
    if wording is None or purpose_of(wording) == policy_packs.together(book.pack).get(code):
        return laid
    # What two people here narrowed stays so, as far as the new pack has it.
    return packs.purpose_fact(changing.met(purpose_of(wording), purpose_of(laid)), _title(wording.title))


def _require_same_deeds(book: Book, purposes: Mapping[str, PurposeFact]) -> None:
    """Refuse a pack under which a code that consents name means another action, basis or means of contact: that has a code of its own."""
    for code, fact in purposes.items():
        old = book.purposes.get(code)
        if old is not None and fact.classes != () and not policy_packs.same_deed(purpose_of(fact), purpose_of(old)):
            raise Invalid([FieldError(f"purposes.{code}", "other-deed")], "pack-refused")


def _without(new: Pack, standing: PurposeFact, wording: PurposeFact | None) -> PurposeFact:
    """A purpose the new pack does not name: the association's own stays as far as it fits into one of the pack's, any other is shut."""
    if wording is not None and not wording.from_pack:
        own = purpose_of(wording)
        for each in new.purposes.values():
            made = changing.met(own, each)
            if (own.article, own.law, own.channel) == (each.article, each.law, made.channel) and made.classes != frozenset():
                fact = packs.purpose_fact(replace(made, code=wording.code), _title(wording.title), from_pack=False)
                return wording if purpose_of(fact) == own else fact
    return msgspec.structs.replace(standing, classes=())


def _title(said: Mapping[str, str]) -> policy_packs.Text:
    return policy_packs.Text(said["ar"], said["en"])


def _may_replace(book: Book, new: Pack, name: str, stored: Collection[str]) -> bool:
    """Whether a type may be laid down as the new pack has it: none of it is stored, and nobody here narrowed it within the new pack."""
    if name in stored:
        return False
    standing = book.types[name]
    old = book.pack.record_types.get(name)
    if old is not None and standing == packs.record_type_fact(old, book.pack.classes):
        return True
    try:
        declared.require_type_within(new, standing)
    except Invalid:
        return True
    return False


def _require_numbers(laid: Mapping[str, RecordTypeFact], staying: Mapping[str, RecordTypeFact]) -> None:
    """Refuse a pack whose type has the number of another type that stays, or whose field has another class than there."""
    numbers = {fact.schema: name for name, fact in staying.items()}
    known = {one.name: (one.number, one.class_id) for fact in staying.values() for one in fact.fields}
    for name, fact in laid.items():
        if fact.schema in numbers or fact.schema >= FIRST_OWN_SCHEMA:
            raise Invalid([FieldError(f"record_types.{name}.id", "number-twice")], "pack-refused")
        for one in fact.fields:
            if known.get(one.name, (one.number, one.class_id)) != (one.number, one.class_id):
                raise Invalid([FieldError(f"record_types.{name}.fields.{one.name}", "number-twice")], "pack-refused")
