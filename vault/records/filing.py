"""Files the documents that a record's fields name: each is cited for the person in the deed that stores the field, and retired with it.

Invariants: a file lies in one field of one record and nowhere else, so that no other field's class or consent opens it; what a field says
of its file is what the vault sealed beside it, whatever the caller wrote.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.attachments import scans
from vault.attachments.scans import PURGED, Scan
from vault.errors import FieldError, Invalid, NotFound, Unavailable
from vault.records.shelf import ATTACHMENT, Cleaned
from vault.records.values.files import UNKNOWN
from vault.rulebook.asker import Errand
from vault.rulebook.shapes import RecordTypeFact
from vault.web.call import write_id

USE: Final = "record"


@dataclass(frozen=True, slots=True)
class Filed:
    """Fields with all that is known of their files; the facts their entry tells; the ids the record then names, and no more names.

    `scans` by the field's number, in hexadecimal; None where no file was named or let go.
    """

    values: Mapping[str, Any]
    facts: tuple[WrittenFact, ...]
    scans: dict[str, str] | None
    gone: tuple[bytes, ...]


def file(deed: Deed, subject: bytes, shape: RecordTypeFact, cleaned: Cleaned, held: Mapping[str, str]) -> Filed:
    """Make the files that these fields name the person's; `held` are those the record names so far, by the field's number.

    Raises Invalid `unknown-attachment` for one that is not here, lies elsewhere already, was handed in more than a day ago or is another
    than the field says; Unavailable `integrity`.
    """
    values, named, facts, errors = dict(cleaned.values), dict(held), list[WrittenFact](), list[FieldError]()
    for one in shape.fields:
        if one.kind != ATTACHMENT or one.name not in values:
            continue
        before, wanted = named.pop(str(one.number), None), cleaned.files.get(one.name)
        if wanted is None:
            continue
        elsewhere = wanted.hex() in named.values()
        named[str(one.number)] = wanted.hex()
        try:
            found = hers(deed, subject, wanted) if wanted.hex() == before else _free(deed, wanted, elsewhere=elsewhere)
            values[one.name] = _said(found, values[one.name])
            if wanted.hex() != before:
                facts.append(scans.hand_over(deed, subject, found, USE))
        except NotFound:
            errors.append(FieldError(f"fields.{one.name}", UNKNOWN))
    if errors:
        raise Invalid(errors)
    gone = tuple(bytes.fromhex(scan) for scan in sorted(set(held.values()) - set(named.values())))
    return Filed(values, tuple(facts), named if named != held else None, gone)


def hers(deed: Deed, subject: bytes, scan: bytes) -> Scan:
    """The file that the person's sheet says a field of hers names. Raises Unavailable `integrity` where it is not here or another's."""
    try:
        found = scans.stored(deed, scan, USE)
    except NotFound as error:
        raise Unavailable("integrity") from error
    if found.subject != subject:
        raise Unavailable("integrity")
    return found


def left(shape: RecordTypeFact, held: Mapping[str, str], classes: Collection[int]) -> dict[str, str]:
    """Of the files a record names those that lie in no field of these classes."""
    of_classes = {str(one.number) for one in shape.fields if one.class_id in classes}
    return {number: scan for number, scan in held.items() if number not in of_classes}


def retire(deed: Deed, errand: Errand, gone: Collection[bytes]) -> None:
    """Delete files that no field names any more, keys and chunks, with an entry that tells it."""
    scans.retire(deed, gone, errand.entry(kind=PURGED, outcome="allow"))


def _free(deed: Deed, scan: bytes, *, elsewhere: bool) -> Scan:
    if elsewhere:
        raise NotFound  # it lies in another field of this record, as no entry tells yet
    return scans.stored(deed, scan, USE)


def _said(found: Scan, given: Mapping[str, Any]) -> dict[str, str | int]:
    about = found.about
    said: dict[str, str | int] = {"id": write_id(found.id), "type": about.type, "size": about.size, "sha256": about.sha256}
    if {**said, **given} != said:
        raise NotFound  # another file than the caller has in mind
    return said
