"""The facts of an erasure, and the certificate of one that was carried out: random references, classes, times and rules, never a value.

Format of the signed note: docs/spec/erasure-certificate.md.
"""

from typing import Literal

import msgspec

from keys.notes import Signer
from vault.rulebook.facts import Kind
from vault.rulebook.shapes import Fact
from vault.web.times import write_time

State = Literal["locked", "erased", "cancelled"]


class Kept(Fact, frozen=True):
    """Something that stays, and the rule it stays by."""

    what: str
    rule: str


class Told(Fact, frozen=True):
    """A party outside the house that was given something of hers: by which entry, of which record, when."""

    recipient: str
    record: str
    at: int
    index: int


class Certificate(Fact, frozen=True):
    """What was erased, by whose word, what stays, and what still opens it. Ids in hexadecimal, times in microseconds UTC.

    `whole` where the person is gone as a whole; `epochs` are those the destroyed keys were wrapped under, `minimum_epoch` the lowest one
    that had not been retired then; `due` is the day (YYYY-MM-DD) after which no copy opens, empty in certificates of before and where
    there was no key; `index` is the entry's number in the log; `others` are the ids of her other sheets.
    """

    erasure: str
    whole: bool
    subject: str
    records: tuple[str, ...]
    classes: tuple[str, ...]
    requested_by: str
    asked_by: str
    asked_at: int
    approved_by: str
    approved_at: int
    kept: tuple[Kept, ...]
    recipients: tuple[Told, ...]
    epochs: tuple[int, ...]
    minimum_epoch: int
    index: int
    due: str = ""
    others: tuple[str, ...] = ()

    def with_more(self, more: "Certificate") -> "Certificate":
        """Add what another one of the same erasure tells of a further sheet of the person."""
        return msgspec.structs.replace(
            self,
            others=tuple(dict.fromkeys([*self.others, *(one for one in (more.subject, *more.others) if one != self.subject)])),
            records=tuple(dict.fromkeys([*self.records, *more.records])),
            classes=tuple(sorted({*self.classes, *more.classes})),
            kept=tuple(dict.fromkeys([*self.kept, *more.kept])),
            recipients=tuple(dict.fromkeys([*self.recipients, *more.recipients])),
            epochs=tuple(sorted({*self.epochs, *more.epochs})),
            due=max(self.due, more.due),
        )


class ErasureFact(Fact, frozen=True):
    """An erasure that was asked for: of whom, of which classes (none means all), by whose word, and how it was settled.

    `request` is the person's request (hex) that it answers, empty where it names none; `others` are the ids of her other sheets, and
    `records` all records that go: neither was told before there was one erasure for all.
    """

    id: str
    subject: str
    record: str
    requested_by: str
    asked_by: str
    asked_at: int
    classes: tuple[str, ...] = ()
    state: State = "locked"
    settled_by: str = ""
    settled_at: int | None = None
    certificate: Certificate | None = None
    request: str = ""
    others: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


ERASURE: Kind[ErasureFact] = Kind("erasure", ErasureFact, in_book=False)


def note(one: Certificate, association: str, signer: Signer) -> str:
    """The certificate as a signed note: a line for each thing it says, in one order."""
    lines = [
        "amanah erasure certificate 1",
        f"association {association}",
        f"erasure {one.erasure}",
        *(f"person {subject}" for subject in (one.subject, *one.others)),
        *(f"record {record}" for record in one.records),
        f"scope {'person' if one.whole else 'classes'}",
        *(f"class {name}" for name in one.classes),
        f"requested-by {one.requested_by}",
        f"asked {write_time(one.asked_at)} {one.asked_by}",
        f"approved {write_time(one.approved_at)} {one.approved_by}",
        *(f"kept {each.what} {each.rule}" for each in one.kept),
        *(f"given {write_time(each.at)} {each.recipient} {each.record} entry {each.index}" for each in one.recipients),
        *(f"copy-opens-until-retired epoch {epoch}" for epoch in one.epochs),
        f"minimum-epoch {one.minimum_epoch}",
        *([f"no-copy-opens-after {one.due}"] if one.due else []),
        f"entry {one.index}",
    ]
    return signer.sign("\n".join(lines) + "\n")
