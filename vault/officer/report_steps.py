"""What officers do about a report by a form: what was typed becomes the same deed as over the API.

Times are typed as the clocks of Riyadh show them; an approval names what it means: what was proposed
anew meanwhile is not approved.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from vault.access_log.deed import Deed
from vault.breach_reports import incidents, service
from vault.breach_reports.incidents import Opening
from vault.breach_reports.service import SecondPerson
from vault.errors import FieldError, Invalid, Malformed, NotFound
from vault.officer.frame import RIYADH
from vault.rulebook.asker import Errand
from vault.web.call import parse_id
from vault.web.times import fold_digits, parse_time

Typed = Mapping[str, str]
Step = Callable[[Deed, Errand, bytes], object]
REASONS: Final = ("not_privacy", "duplicate", "spam", "no_basis")
FINDINGS: Final = ("breach", "no_breach")
TURNED_DOWN: Final = frozenset({"turn-down-dismissal", "turn-down-awareness"})
"""What ends a proposal: the deed takes no code of its own, so the session is stepped up by it first."""
SECOND: Final = frozenset({"dismiss", "move-awareness"}) | TURNED_DOWN
"""What another person settles with her code."""
LARGEST: Final = 1 << 62


def _acknowledge(_typed: Typed, _second: SecondPerson) -> Step:
    return service.acknowledge


def _triage(typed: Typed, _second: SecondPerson) -> Step:
    finding, at = _chosen(typed, "finding", FINDINGS), typed["at"]
    aware, note = moment(at) if at else None, typed["says"]
    return lambda deed, errand, report: service.triage(deed, errand, report, finding, aware_at=aware, note=note)


def _reply(typed: Typed, _second: SecondPerson) -> Step:
    text = typed["says"]
    service.require_text(text)
    return lambda deed, errand, report: service.reply(deed, errand, report, text)


def _propose_dismissal(typed: Typed, _second: SecondPerson) -> Step:
    reason, note = _chosen(typed, "reason", REASONS), typed["says"]
    return lambda deed, errand, report: service.propose_dismissal(deed, errand, report, reason, note)


def _propose_awareness(typed: Typed, _second: SecondPerson) -> Step:
    to, reason = moment(typed["at"]), typed["says"]
    return lambda deed, errand, report: service.propose_awareness(deed, errand, report, to, reason)


def _exclude(typed: Typed, _second: SecondPerson) -> Step:
    staff = account(typed["staff"])
    return lambda deed, errand, report: service.exclude(deed, errand, report, staff)


def _dismiss(typed: Typed, second: SecondPerson) -> Step:
    reason, code = _chosen(typed, "reason", REASONS), code_of(typed)
    return lambda deed, errand, report: second.dismiss(deed, errand, report, reason, code)


def _move_awareness(typed: Typed, second: SecondPerson) -> Step:
    to, code = number(typed["at"]), code_of(typed)
    return lambda deed, errand, report: second.move_awareness(deed, errand, report, to, code)


def _turn_down_dismissal(typed: Typed, _second: SecondPerson) -> Step:
    reason = _chosen(typed, "reason", REASONS)
    return lambda deed, errand, report: service.turn_down_dismissal(deed, errand, report, reason)


def _turn_down_awareness(typed: Typed, _second: SecondPerson) -> Step:
    to = number(typed["at"])
    return lambda deed, errand, report: service.turn_down_awareness(deed, errand, report, to)


def _link(typed: Typed, _second: SecondPerson) -> Step:
    incident = parse_id(fold_digits(typed["incident"]).lower())
    return lambda deed, errand, report: incidents.link(deed, errand, incident, report)


def _open_incident(typed: Typed, _second: SecondPerson) -> Step:
    summary = typed["says"]
    return lambda deed, errand, report: incidents.open_(deed, errand, Opening(summary, (report,)), None)


STEPS: Final[Mapping[str, Callable[[Typed, SecondPerson], Step]]] = {
    "acknowledge": _acknowledge,
    "triage": _triage,
    "reply": _reply,
    "propose-dismissal": _propose_dismissal,
    "propose-awareness": _propose_awareness,
    "exclude": _exclude,
    "dismiss": _dismiss,
    "move-awareness": _move_awareness,
    "turn-down-dismissal": _turn_down_dismissal,
    "turn-down-awareness": _turn_down_awareness,
    "link": _link,
    "open-incident": _open_incident,
}
"""The step of each form: raises Invalid for what was typed wrongly, Malformed for what no form of ours sends."""


def _chosen(typed: Typed, name: str, choices: tuple[str, ...]) -> Any:  # noqa: ANN401 - one of the choices, which the deed names by type
    return chosen(typed[name], choices)


def chosen(text: str, choices: Collection[str]) -> Any:  # noqa: ANN401 - one of the choices, which the deed names by type
    """One of the choices a form of ours offers. Raises Malformed."""
    if text not in choices:
        raise Malformed
    return text


def code_of(typed: Typed) -> str:
    """The one-time code that was typed: on a page an approval takes one of its own."""
    return fold_digits(typed["code"]).strip()


def number(text: str) -> int:
    """A number as a form of ours carries it. Raises Malformed."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        raise Malformed
    return int(text)


def moment(text: str, field: str = "aware_at") -> int:
    """A moment as a browser's field sends it, on the clocks of Riyadh: `2026-11-27T14:30`, in microseconds UTC. Raises Invalid."""
    try:
        return parse_time(datetime.strptime(fold_digits(text), "%Y-%m-%dT%H:%M").replace(tzinfo=RIYADH).astimezone(UTC).isoformat())
    except (ValueError, OverflowError):
        raise Invalid([FieldError(field, "wrong-type")]) from None


def account(text: str) -> bytes:
    """The id of somebody's account, typed as the log's pages show it. Raises Invalid."""
    try:
        return parse_id(fold_digits(text).strip().lower().removeprefix("staff:"))
    except NotFound:
        raise Invalid([FieldError("staff", "unknown-staff")]) from None
