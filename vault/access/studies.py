"""Studies: what research inside the house looks at, proposed by one person and in force once another approved that very wording (6.3).

Invariants: a study is never changed, since what it showed under one wording could be computed from another; no two that stand look at one
field of a record type, since what one hides the other would tell; once ended it stays ended: its key is destroyed in the same deed, which
has its line in the journal first. Sources: article 6.3; law 27, implementing regulation 9 and 30; promise 9; ADR 0087.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from vault.access.approving import Approver
from vault.access.study_shapes import RELEASE, STUDY, DimensionFact, Form, ReleaseFact, StudyFact
from vault.access_log.deed import Deed
from vault.access_log.entry import Entry, WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.policy.pack_facts import Field, Text
from vault.policy.research import unsound
from vault.rulebook import facts, study_keys
from vault.rulebook.asker import Errand
from vault.rulebook.book import Book
from vault.rulebook.shapes import RecordTypeFact
from vault.storage.journal import Closing

PROPOSED: Final = "study.proposed"
APPROVED: Final = "study.approved"
ENDED: Final = "study.ended"
READ: Final = "study.read"
JOURNAL: Final = "study"
RELEASED: Final = "study-release"
"""The kind of the journal's line for a month that was released: after a restore it is not released again."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{1,31}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A study as somebody wants it."""

    form: Form
    type: str
    purpose: str
    title: dict[str, str]
    dimensions: tuple[DimensionFact, ...]


def propose(deed: Deed, errand: Errand, code: str, wanted: Wanted) -> StudyFact:
    """Propose a study, in the place of what waits under its code; nothing is looked at before another person approved it.

    Raises Invalid by member, Conflict `study-settled` for a code that a study has or had, `study-overlaps`.
    """
    errand = errand.still(deed)
    if _CODE.fullmatch(code) is None:
        raise Invalid([FieldError("code", "out-of-range")])
    old = facts.read(deed, STUDY, code)
    if old is not None and (old.approved_by or old.ended_at is not None):
        raise Conflict("study-settled")
    said = {name: getattr(wanted, name) for name in Wanted.__dataclass_fields__}
    study = StudyFact(code=code, id=os.urandom(16).hex(), proposed_by=errand.asker.ref, proposed_at=deed.now, **said)
    wrong = list(_wrong(errand.book(deed), study))
    if wrong:
        raise Invalid(wrong)
    _require_alone(deed, study)
    if old is not None and msgspec.structs.replace(old, id=study.id, proposed_at=study.proposed_at) == study:
        return old
    deed.append(_entry(errand, PROPOSED, study, facts.write(deed, STUDY, code, study)))
    return study


def approve(deed: Deed, approver: Approver, code: str, wording: bytes) -> StudyFact:
    """Approve the wording that another person proposed: from this answer on it stands, and an extract has its key.

    Raises NotFound, Conflict for another wording than waits and where it is settled, `study-overlaps`, `study-outdated` where the rulebook
    does not bear it any more; refusals `same-person` and `step-up-required`, TooMany.
    """
    approver = approver.still(deed)
    found = of(deed, code)
    if found.id != wording.hex() or found.approved_by or found.ended_at is not None:
        raise Conflict
    require_sound(approver.errand.book(deed), found)
    _require_alone(deed, found)
    approval = approver.approve(deed, found.proposed_by, APPROVED)
    approved = msgspec.structs.replace(found, approved_by=approver.caller.ref, approved_at=deed.now)
    if approved.form == "extract":
        study_keys.add_key(deed, wording)
    written = (*approval.facts, facts.write(deed, STUDY, code, approved))
    deed.append(replace(_entry(approver.errand, APPROVED, approved, *written), flags=approval.flags))
    return approved


def end(deed: Deed, errand: Errand, code: str) -> StudyFact:
    """End a study, or turn down what waits: nothing is released of it from this answer on, and its pseudonyms are nobody's any more.

    Raises NotFound.
    """
    errand = errand.still(deed)
    return _end(deed, errand, of(deed, code))


def turn_down(deed: Deed, errand: Errand, code: str, wording: bytes) -> StudyFact:
    """Turn down the wording that waits: it ends as `end` ends it. Raises NotFound, Conflict for another wording and where it stands."""
    errand = errand.still(deed)
    found = of(deed, code)
    if found.id != wording.hex() or found.approved_by:
        raise Conflict
    return _end(deed, errand, found)


def _end(deed: Deed, errand: Errand, found: StudyFact) -> StudyFact:
    if found.ended_at is not None:
        return found
    ended, written = ending(deed, found, errand.asker.ref)
    deed.append(_entry(errand, ENDED, ended, written), closes=Closing(JOURNAL, found.code))
    return ended


def ending(deed: Deed, study: StudyFact, by: str) -> tuple[StudyFact, WrittenFact]:
    """Write the study as ended now and destroy its key; the caller puts what is returned into the entry of the same deed."""
    study_keys.destroy_key(deed, bytes.fromhex(study.id))
    ended = msgspec.structs.replace(study, ended_by=by, ended_at=deed.now)
    return ended, facts.write(deed, STUDY, study.code, ended)


def end_again(deed: Deed, code: str, by: str) -> list[WrittenFact]:
    """End what the journal says was ended, a key that came back with an older database first; nothing where it is ended."""
    found = facts.read(deed, STUDY, code)
    if found is None or found.ended_at is not None:
        return []
    return [ending(deed, found, by)[1]]


def lose_again(deed: Deed, code: str, month: str, by: str) -> list[WrittenFact]:
    """Write that this month was released, where only the journal knows of it: counted anew, two of one month would be compared."""
    name = release_key(code, month)
    if facts.read(deed, RELEASE, name) is not None:
        return []
    return [facts.write(deed, RELEASE, name, ReleaseFact(study=code, month=month, released_by=by, released_at=deed.now, lost=True))]


def listed(deed: Deed, errand: Errand) -> list[StudyFact]:
    """Every study there ever was, by code; the look is an entry. Raises Unavailable `integrity`."""
    errand = errand.still(deed)
    found = sorted(_known(deed).values(), key=lambda one: one.code)
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", count=len(found)))
    return found


def shown(deed: Deed, errand: Errand, code: str) -> StudyFact:
    """The study as it is proposed or stands; the look is an entry. Raises NotFound."""
    errand = errand.still(deed)
    found = of(deed, code)
    deed.append(errand.entry(kind=READ, outcome="allow", basis="law", count=1))
    return found


def of(deed: Deed, code: str) -> StudyFact:
    """The study of this code. Raises NotFound, Unavailable `integrity`."""
    found = facts.read(deed, STUDY, code) if _CODE.fullmatch(code) else None
    if found is None:
        raise NotFound
    return found


def release_key(code: str, month: str) -> str:
    """The name of a month of a study among the facts."""
    return f"{code}:{month}"


def require_sound(book: Book, study: StudyFact) -> None:
    """Raise Conflict `study-outdated` where its purpose or a field of it is not what it was when it was proposed."""
    if next(_wrong(book, study), None) is not None:
        raise Conflict("study-outdated")


def require_unshared(deed: Deed, study: StudyFact, month: str) -> None:
    """Raise Conflict `study-overlaps` where another study, ended since or not, told of one of its fields in this month already."""
    names = [release_key(one.code, month) for one in _sharing(deed, study)]
    if names and facts.read_several(deed, RELEASE, names):
        raise Conflict("study-overlaps")


def _require_alone(deed: Deed, study: StudyFact) -> None:
    if any(one.stands for one in _sharing(deed, study)):
        raise Conflict("study-overlaps")


def _sharing(deed: Deed, study: StudyFact) -> list[StudyFact]:
    """The other studies that look at one of its fields of this record type."""
    mine = set(study.fields)
    return [one for one in _known(deed).values() if one.code != study.code and one.type == study.type and mine & set(one.fields)]


def _known(deed: Deed) -> dict[str, StudyFact]:
    return facts.read_known(deed.transaction.connection, deed.cabinet, deed.association, STUDY)


def _wrong(book: Book, study: StudyFact) -> Iterator[FieldError]:
    purpose = book.purposes.get(study.purpose)
    if purpose is None:
        yield FieldError("purpose", "unknown-purpose")
    elif (purpose.action, purpose.basis, purpose.internal_only) != ("use", "consent", True):
        # What may leave the house, or is done without asking anybody, is no purpose of research (article 6.3).
        yield FieldError("purpose", "action-mismatch")
    shape = book.types.get(study.type)
    if shape is None:
        yield FieldError("type", "unknown-type")
        return
    fields = {one.name: _as_declared(shape, one.name) for one in shape.fields}
    for number, code in unsound(fields, [one.laid for one in study.dimensions], linked=study.form == "extract"):
        yield FieldError(f"dimensions.{number}", code)


def _as_declared(shape: RecordTypeFact, name: str) -> Field:
    own = next(one for one in shape.fields if one.name == name)
    return Field(own.name, own.number, own.kind, own.field_class, Text("", ""), choices=own.choices)


def _entry(errand: Errand, kind: str, study: StudyFact, *written: WrittenFact) -> Entry:
    """Which study it is stands in the fact the entry names; its purpose and fields in the entry as well."""
    fields = tuple(sorted(study.fields))
    return errand.entry(kind=kind, outcome="allow", purpose=study.purpose, fields=fields, facts=written, flags=errand.asker.flags)
