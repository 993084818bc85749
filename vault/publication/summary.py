"""How the association processes personal data, made from its policy pack and the law's (article 5): no word of it is the association's.

Invariant: what is told is what verdicts are made from: the pack's purposes, forms, classes, switches and times, and nothing beside them.
"""

from collections.abc import Iterator
from functools import cache
from typing import Literal

import msgspec

from vault.policy import pack as packs
from vault.policy.facts import Purpose
from vault.policy.pack import Pack, Text
from vault.publication.words import WORDS, Unit, period

_UNITS: dict[str, Unit] = {"hours": "hours", "days": "days"}


class Named(msgspec.Struct, frozen=True):
    """A code of the API with the words for it."""

    code: str
    text: Text


class Cited(msgspec.Struct, frozen=True):
    """An article by number, in our own words; the source decides."""

    number: str
    text: Text


class Source(msgspec.Struct, frozen=True):
    """What a summary was made from."""

    name: str
    version: str
    title: Text


class ProcessingPurpose(msgspec.Struct, frozen=True):
    """One purpose: what is done, on which forms of consent or else which basis, under which articles, with which classes of data."""

    code: str
    title: Text
    action: Named
    basis: Literal["consent", "order", "law"]
    basis_text: Text | None
    forms: tuple[Named, ...]
    article: Cited | None
    law: Cited
    classes: tuple[Named, ...]
    internal_only: bool


class Kept(msgspec.Struct, frozen=True):
    """How long records of a kind are kept once their purpose has ended, and the classes of data they hold."""

    type: str
    title: Text
    months: int
    period: Text
    classes: tuple[Named, ...]


class Right(msgspec.Struct, frozen=True):
    """A right of the data subject and the article of the law that gives it."""

    code: str
    text: Text
    law: Cited


class Processing(msgspec.Struct, frozen=True):
    """The whole summary, in both languages."""

    policy: Source
    law: Source
    purposes: tuple[ProcessingPurpose, ...]
    duties: tuple[ProcessingPurpose, ...]
    explicit_classes: tuple[Named, ...]
    kept: tuple[Kept, ...]
    recipients: tuple[Named, ...]
    promises: tuple[Named, ...]
    rights: tuple[Right, ...]
    reply: tuple[Named, ...]
    channels: tuple[Named, ...]
    complaint: tuple[Named, ...]
    report_categories: tuple[Named, ...]


@cache
def processing(name: str) -> Processing:
    """Return the summary of the pack of this name as it ships. Raises PackRefused for an unknown name."""
    return processing_of(packs.load(name))


def processing_of(pack: Pack) -> Processing:
    """Return the summary of a pack and of the law over it."""
    law = packs.load(pack.law)
    return Processing(
        policy=_source(pack),
        law=_source(law),
        purposes=tuple(_purpose(pack, law, code, each) for code, each in pack.purposes.items()),
        duties=tuple(_purpose(law, law, code, each) for code, each in law.purposes.items()),
        explicit_classes=_classes(pack, pack.explicit_classes),
        kept=tuple(_kept(pack)),
        recipients=tuple(Named(code, WORDS.recipients[code]) for code in _recipients(pack)),
        promises=() if pack.switches.sale else (Named("no_sale", WORDS.promises["no_sale"]),),
        rights=tuple(Right(code, Text(each.ar, each.en), _cited(law, each.law)) for code, each in WORDS.rights.items()),
        reply=tuple(Named(code, _reply(code, number)) for code, number in pack.reply.items() if number),
        channels=tuple(Named(code, channel.label) for code, channel in pack.channels.items()),
        complaint=tuple(Named(code, text) for code, text in WORDS.complaint.items()),
        report_categories=tuple(Named(code, text) for code, text in pack.report_categories.items()),
    )


def _source(pack: Pack) -> Source:
    return Source(pack.name, pack.version, pack.title)


def _cited(pack: Pack, number: str) -> Cited:
    return Cited(number, pack.articles[number])


def _purpose(pack: Pack, law: Pack, code: str, purpose: Purpose) -> ProcessingPurpose:
    """A purpose of a pack; a duty of the law cites the law alone, since the article it names is the association's pack's."""
    return ProcessingPurpose(
        code=code,
        title=pack.labels[code],
        action=Named(purpose.action, WORDS.actions[purpose.action]),
        basis=purpose.basis,
        basis_text=WORDS.bases.get(purpose.basis),
        forms=tuple(Named(form, text) for form, text in WORDS.forms.items() if form in purpose.forms),
        article=_cited(pack, purpose.article) if pack is not law else None,
        law=_cited(law, purpose.law),
        classes=_classes(law, purpose.classes),
        internal_only=purpose.internal_only,
    )


def _classes(pack: Pack, wanted: frozenset[str] | None) -> tuple[Named, ...]:
    """The classes of data by name, in the order of their numbers; every one but the vault's own where none are named."""
    inside = [name for name in sorted(pack.classes, key=lambda each: pack.classes[each]) if name in WORDS.classes]
    return tuple(Named(name, WORDS.classes[name]) for name in inside if wanted is None or name in wanted)


def _kept(pack: Pack) -> Iterator[Kept]:
    for name, months in pack.retention_months.items():
        if name not in pack.record_types:
            continue  # of reports and incidents, which are no records
        shape = pack.record_types[name]
        classes = frozenset(each.class_name for each in shape.fields.values())
        yield Kept(name, shape.label, months, period(months, "months"), _classes(pack, classes))


def _recipients(pack: Pack) -> Iterator[str]:
    """Who may receive data at all under this pack."""
    yield "internal"
    opened = {each.basis if each.action == "disclose" else each.action for each in pack.purposes.values()}
    yield from (code for code in ("consent", "order", "publish") if code in opened)


def _reply(code: str, number: int) -> Text:
    """A time of the pack in a sentence; the code's end names its unit."""
    said, length = WORDS.reply[code], period(number, _UNITS[code.rpartition("_")[2]])
    return Text(said.ar.format(period=length.ar), said.en.format(period=length.en))
