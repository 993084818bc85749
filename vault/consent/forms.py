"""The sheet on which somebody agrees by hand: what of a notice version, purpose and recipient is printed on it (002 6.2, regulation 11).

Invariants: only a version that was published is printed, and only for its own purpose and a recipient it covers; the text is the version's
own, whole; nothing of any person stands on it, so that it needs no verdict and leaves no entry.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from vault.access_log.deed import Deed
from vault.consent import notices
from vault.consent.forms_code import FormCode, code_of
from vault.consent.within import SENSITIVE, purpose_for
from vault.errors import Conflict, FieldError, Invalid
from vault.policy.facts import INTERNAL
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import FieldFact, NoticeFact, PurposeFact

WRITTEN: Final = "written"
UNPUBLISHED: Final = "notice-not-published"
_CLASSES: Final = ("identity", "contact", "family", "finance", "health", "sensitive")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks a form for; `type` bounds the fields to those of one record type, all the notice covers where it is empty."""

    notice: bytes
    version: int
    purpose: str
    language: str
    recipient: str = INTERNAL
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What stands on a form: `fields` are labels by class, `kept` types of records and the months they are kept after the purpose.

    `recipient` is a name, empty where nothing leaves the association; `is_explicit` where a class covered asks for explicit consent;
    `newer` is the version people are shown by now, None where it is this one.
    """

    code: FormCode
    notice: NoticeFact
    purpose: PurposeFact
    text: str
    recipient: str
    fields: Mapping[str, tuple[str, ...]]
    kept: Mapping[int, tuple[str, ...]]
    is_explicit: bool
    newer: NoticeFact | None


def sheet(deed: Deed, errand: Errand, wanted: Wanted) -> Sheet:
    """The form that is asked for.

    Raises NotFound for a notice or version there is none of, Conflict `notice-not-published` for a draft, Invalid `exceeds-notice` where
    the purpose or the recipient is not the notice's, Invalid by member for what there is none of or where paper is not enough.
    """
    book = errand.still(deed).book(deed)
    notice = notices.of(book, wanted.notice.hex(), wanted.version)
    if notice.state != "published":
        raise Conflict(UNPUBLISHED)
    purpose = purpose_for(book, wanted.purpose, wanted.recipient)
    if notice.purpose != purpose.code:
        raise Invalid([FieldError("purpose", "exceeds-notice")], "exceeds-notice")
    if notice.recipients is not None and wanted.recipient not in notice.recipients:
        raise Invalid([FieldError("recipient", "exceeds-notice")], "exceeds-notice")
    if not takes_paper(purpose):
        raise Invalid([FieldError("purpose", "not-in-writing")])
    return _laid_out(book, wanted, notice, purpose)


def takes_paper(purpose: PurposeFact) -> bool:
    """Whether a consent in writing is enough for a purpose: a third party is reached by nothing else."""
    return purpose.basis == "consent" and (WRITTEN in purpose.forms or purpose.action == "disclose")


def _laid_out(book: Book, wanted: Wanted, notice: NoticeFact, purpose: PurposeFact) -> Sheet:
    if wanted.type and wanted.type not in book.types:
        raise Invalid([FieldError("type", "unknown-type")])
    types = [wanted.type] if wanted.type else sorted(book.types)
    covered = {name: [one for one in book.types[name].fields if one.name in notice.fields] for name in types}
    if not any(covered.values()):
        raise Invalid([FieldError("type", "exceeds-notice")], "exceeds-notice")
    current = book.current_notice(purpose.code)
    return Sheet(
        code=code_of(notice, wanted.language),
        notice=notice,
        purpose=purpose,
        text=notice.texts[wanted.language],
        recipient="" if wanted.recipient == INTERNAL else book.recipients[wanted.recipient].name.get(wanted.language, wanted.recipient),
        fields=_by_class([one for fields in covered.values() for one in fields], wanted.language),
        kept=_kept(book, [name for name, fields in covered.items() if fields], wanted.language),
        is_explicit=any(one.field_class in SENSITIVE for fields in covered.values() for one in fields),
        newer=None if current is None or current is notice else current,
    )


def _by_class(fields: list[FieldFact], language: str) -> dict[str, tuple[str, ...]]:
    """Labels by class, the classes as the law orders them and an association's own behind; a label that two types share stands once."""
    found: dict[str, dict[str, None]] = {name: {} for name in _CLASSES}
    for one in fields:
        found.setdefault(one.field_class, {})[one.labels.get(language, one.name)] = None
    return {name: tuple(labels) for name, labels in found.items() if labels}


def _kept(book: Book, types: list[str], language: str) -> dict[int, tuple[str, ...]]:
    """The types of records by the months the pack keeps them, longest last; a type the pack gives no time is left out."""
    pack = book.pack
    found: dict[int, list[str]] = {}
    for name in types:
        if (months := pack.retention_months.get(name)) is not None:
            found.setdefault(months, []).append(getattr(pack.record_types[name].label, language))
    return {months: tuple(found[months]) for months in sorted(found)}


def on_offer(book: Book) -> Iterator[tuple[NoticeFact, PurposeFact, str]]:
    """Every form there is to sign today: the notice in force of each purpose for which paper is enough, and each partner it covers."""
    for code in sorted(book.purposes):
        purpose, notice = book.purposes[code], book.current_notice(code)
        if notice is None or not takes_paper(purpose):
            continue
        # An authority is given what it orders, and needs nobody's consent; a processor works in the association's own name.
        partners = sorted(name for name, one in book.recipients.items() if one.kind == "partner" and one.revoked_at is None)
        known = partners if purpose.action == "disclose" else [INTERNAL]
        yield from ((notice, purpose, name) for name in known if notice.recipients is None or name in notice.recipients)
