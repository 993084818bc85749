"""What the forms of the notices' pages do: each takes what was filled in and does the deed the API does.

Invariant: what cannot be read is told by its member and never repeated but on the page it was typed on.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from vault.breach_reports import authority_notices, people_notices
from vault.breach_reports.authority_notice import Content, Words
from vault.breach_reports.authority_notices import Filing
from vault.breach_reports.incident_shapes import IncidentFact
from vault.breach_reports.people_notices import PARTS, Wording
from vault.breach_reports.people_notices_api import all_again, run
from vault.errors import FieldError, Invalid, Malformed
from vault.web.call import Call, parse_id
from vault.web.times import RIYADH, fold_digits

TEXTS: Final = ("description", "circumstances", "categories", "data", "effects", "measures", "planned", "contact")
DIGITS: Final = 6


async def draft(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Write a notice to the authority."""
    told: Any = given.get("told", "")
    if told not in {"", "told", "in_part", "not_yet"}:
        raise Malformed
    people = given.get("people", "")
    content = Content(
        **{name: _words(given, name) for name in TEXTS},
        happened_at=_moment(given.get("happened_at", ""), "happened_at") if given.get("happened_at") else None,
        people=_count(people) if people else None,
        estimated=bool(given.get("estimated")),
        told=told,
    )
    await run(call, lambda deed, errand, id_: authority_notices.draft(deed, errand, id_, content), incident)
    return ""


async def file(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Note that the platform took one, as partial where reasons are given."""
    number = number_of(given.get("notice", ""))
    filing = Filing(
        _moment(given.get("filed_at", ""), "filed_at"),
        given.get("reference", ""),
        bool(given.get("reasons")),
        given.get("reasons", ""),
        given.get("late_reason", ""),
    )
    await run(call, lambda deed, errand, id_: authority_notices.file(deed, errand, id_, number, filing), incident)
    return ""


async def write(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Write a notice to people; its number."""
    wording = Wording(**{name: _words(given, name) for name in PARTS})
    fact: IncidentFact = await run(call, lambda deed, errand, id_: people_notices.draft(deed, errand, id_, wording), incident)
    return str(fact.people_notices[-1].part)


async def list_(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Put people on its list; its number."""
    number, records = number_of(given.get("notice", "")), [id_of(each) for each in given.get("records", "").split()]
    if not 1 <= len(records) <= people_notices.MOST_AT_ONCE:
        raise Invalid([FieldError("records", "out-of-range")])
    await run(call, lambda deed, errand, id_: people_notices.list_(deed, errand, id_, number, records), incident, weight=len(records))
    return str(number)


async def remove(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Take somebody off its list, or propose that where two people let her letter go; its number."""
    number, record = number_of(given.get("notice", "")), id_of(given.get("record", ""))
    await run(call, lambda deed, errand, id_: people_notices.remove_person(deed, errand, id_, number, record), incident)
    return str(number)


async def again(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Send again what failed; its number."""
    number = number_of(given.get("notice", ""))
    await all_again(call, incident, number, doubtful=False)
    return str(number)


async def note(call: Call, incident: bytes, given: Mapping[str, str]) -> str:
    """Note what became of a letter; its notice's number."""
    result: Any = given.get("result", "")
    letter = id_of(given.get("letter", ""))
    if result not in {"delivered", "returned"}:
        raise Malformed
    await run(call, lambda deed, errand, id_: people_notices.note(deed, errand, id_, letter, result), incident)
    return str(number_of(given.get("notice", "")))


def _words(given: Mapping[str, str], name: str) -> Words:
    return Words(given.get(f"{name}_ar", ""), given.get(f"{name}_en", ""))


def _moment(text: str, field: str) -> int:
    """A moment as a browser writes it, by the clocks of Riyadh. Raises Invalid."""
    try:
        return int(datetime.fromisoformat(fold_digits(text)).replace(tzinfo=RIYADH).timestamp()) * 1_000_000
    except ValueError:
        raise Invalid([FieldError(field, "wrong-type")]) from None


def number_of(text: str) -> int:
    """A number as somebody typed it, -1 for what is none: no notice has it."""
    return int(fold_digits(text)) if fold_digits(text).isdecimal() and len(text) <= DIGITS else -1


def _count(text: str) -> int:
    found = number_of(text)
    if found < 0:
        raise Invalid([FieldError("people", "out-of-range")])
    return found


def id_of(text: str) -> bytes:
    """An id as somebody typed it. Raises NotFound."""
    return parse_id(fold_digits(text).lower())
