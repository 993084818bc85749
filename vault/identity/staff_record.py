"""The record in which a member of staff is named: one for all her accounts, which together hold no roles that are kept apart."""

from typing import Final

from vault.access_log.deed import Deed
from vault.errors import FieldError, Invalid, NotFound
from vault.identity.callers import Caller, is_engaged
from vault.identity.proposals import STAFF_PROPOSAL, waiting
from vault.identity.scopes import require_roles
from vault.subjects import people

RECORD_TYPE: Final = "staff"


def named_in(deed: Deed, caller: Caller, record: bytes | None, roles: tuple[str, ...]) -> str:
    """The record of a member of staff, in hexadecimal, "" for none.

    Raises Invalid for one that is not here or of another type, for `record` where an account of hers names another, by which the two would
    count as two people's, and for `roles` where she has one of those kept apart from them by an account she has or that waits.
    """
    if record is None:
        return ""
    try:
        known = people.of_record(deed, record)
    except NotFound:
        known = None
    if known is None or known.sheet is None or known.sheet.records[record.hex()].type != RECORD_TYPE:
        raise Invalid([FieldError("record", "unknown-record")])
    sheets = [each.sheet for each in (known, *people.others(deed, known)) if each.sheet is not None]
    hers = {each for sheet in sheets for each in sheet.records}
    waits = [each.member for each in waiting(deed, STAFF_PROPOSAL).values()]
    named = [each for each in (*caller.association.books.at(deed).staff.values(), *waits) if each.record in hers]
    if any(each.record != record.hex() for each in named):
        raise Invalid([FieldError("record", "out-of-range")])
    require_roles({*roles, *(role for each in named if is_engaged(each, deed.now) for role in each.roles)})
    return record.hex()
