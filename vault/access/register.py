"""The register of disclosures for the record of processing: one line for each disclosure that was asked for, in numbers and codes.

Invariant: it names nobody: how many records, which fields, to whom, on what, when and how often; it holds no id of a record or a person.
"""

from typing import Final

from vault.access.shapes import DISCLOSURE, DisclosureFact, Further
from vault.access_log.deed import Deed
from vault.rulebook import facts
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.web.times import write_time

READ: Final = "disclosures.register-read"
COLUMNS: Final = (
    *("id", "recipient", "kind", "country", "purpose", "article", "law", "basis", "order", "records", "fields", "classes", "refused"),
    *("requested_by", "requested_at", "approved_by", "approved_at", "packages", "revoked_at"),
)


def register(deed: Deed, errand: Errand) -> list[dict[str, str]]:
    """Every disclosure as a line of `COLUMNS`, the oldest first; the look is an entry. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    book = errand.book(deed)
    every = facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, DISCLOSURE).values()
    lines = [_line(book, one) for one in sorted(every, key=lambda one: (one.requested_at, one.id))]
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", count=len(lines)))
    return lines


def _line(book: Book, one: DisclosureFact) -> dict[str, str]:
    recipient, purpose = book.recipients.get(one.recipient), book.purposes.get(one.purpose)
    further = one.further or Further(pages=1, granted=0, refused=0, fields=(), plan="")
    fields = sorted({name for part in one.granted for name in part.fields} | {*further.fields})
    classes = {each.name: each.field_class for shape in book.types.values() for each in shape.fields}
    said = {
        "id": one.id,
        # What nobody laid down is not named: a caller typed it.
        "recipient": one.recipient if recipient else "",
        "kind": recipient.kind if recipient else "",
        "country": recipient.country if recipient else "",
        "purpose": one.purpose if purpose else "",
        "article": f"{book.association.pack}:{purpose.article}" if purpose else "",
        "law": f"{book.association.law_pack}:{purpose.law}" if purpose and purpose.law else "",
        "basis": one.basis,
        "order": one.order,
        "records": str(len({part.record for part in one.granted}) + further.granted),
        "fields": " ".join(fields),
        "classes": " ".join(sorted({classes[name] for name in fields if name in classes})),
        "refused": str(len(one.refused) + further.refused),
        "requested_by": one.requested_by,
        "requested_at": write_time(one.requested_at),
        "approved_by": one.approved_by,
        "approved_at": _time(one.approved_at),
        "packages": str(one.released),
        "revoked_at": _time(one.revoked_at),
    }
    return {column: said[column] for column in COLUMNS}


def _time(at: int | None) -> str:
    return "" if at is None else write_time(at)
