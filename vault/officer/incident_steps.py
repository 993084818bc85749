"""What officers do about an incident by a form: what was typed becomes the same deed as over the API, as with a report's steps."""

from collections.abc import Callable, Mapping
from typing import Final

from vault.breach_reports import incidents
from vault.breach_reports.incident_shapes import TRACKS
from vault.breach_reports.incidents import Filing, Proposing, SecondPerson
from vault.officer.report_steps import Step, Typed, account, chosen, code_of, moment, number
from vault.web.call import parse_id
from vault.web.times import fold_digits

STATES: Final = ("suspected", "confirmed", "contained", "remediating", "closed")
ANSWERS: Final = ("yes", "no", "unknown")
SECOND: Final = frozenset({"approve", "turn-down"})
"""What another person settles with her code."""


def _assess(typed: Typed, _second: SecondPerson) -> Step:
    answers, note = (chosen(typed["sensitive"], ANSWERS), chosen(typed["over_100"], ANSWERS)), typed["says"]
    return lambda deed, errand, incident: incidents.assess(deed, errand, incident, answers, note)


def _move(typed: Typed, _second: SecondPerson) -> Step:
    state, note = chosen(typed["state"], STATES), typed["says"]
    return lambda deed, errand, incident: incidents.move(deed, errand, incident, state, note)


def _file(typed: Typed, _second: SecondPerson) -> Step:
    filing = Filing(chosen(typed["track"], TRACKS), moment(typed["at"], "filed_at"), typed["reference"], typed["says"])
    return lambda deed, errand, incident: incidents.file(deed, errand, incident, filing)


def _reopen(typed: Typed, _second: SecondPerson) -> Step:
    track, reason = chosen(typed["track"], TRACKS), typed["says"]
    return lambda deed, errand, incident: incidents.reopen(deed, errand, incident, track, reason)


def _unlink(typed: Typed, _second: SecondPerson) -> Step:
    report, reason = parse_id(fold_digits(typed["report"]).lower()), typed["says"]
    return lambda deed, errand, incident: incidents.unlink(deed, errand, incident, report, reason)


def _propose_awareness(typed: Typed, _second: SecondPerson) -> Step:
    return _proposed(Proposing("awareness", typed["says"], to=moment(typed["at"])))


def _propose_not_required(typed: Typed, _second: SecondPerson) -> Step:
    return _proposed(Proposing("not_required", typed["says"], track=chosen(typed["track"], TRACKS)))


def _propose_ruling_out(typed: Typed, _second: SecondPerson) -> Step:
    return _proposed(Proposing("ruled_out", typed["says"]))


def _proposed(wanted: Proposing) -> Step:
    return lambda deed, errand, incident: incidents.propose(deed, errand, incident, wanted)


def _approve(typed: Typed, second: SecondPerson) -> Step:
    proposal, code = number(typed["proposal"]), code_of(typed)
    return lambda deed, errand, incident: second.approve(deed, errand, incident, proposal, code)


def _turn_down(typed: Typed, _second: SecondPerson) -> Step:
    proposal = number(typed["proposal"])
    return lambda deed, errand, incident: incidents.turn_down(deed, errand, incident, proposal)


def _exclude(typed: Typed, _second: SecondPerson) -> Step:
    staff = account(typed["staff"])
    return lambda deed, errand, incident: incidents.exclude(deed, errand, incident, staff)


STEPS: Final[Mapping[str, Callable[[Typed, SecondPerson], Step]]] = {
    "assess": _assess,
    "move": _move,
    "file": _file,
    "reopen": _reopen,
    "unlink": _unlink,
    "propose-awareness": _propose_awareness,
    "propose-not-required": _propose_not_required,
    "propose-ruling-out": _propose_ruling_out,
    "approve": _approve,
    "turn-down": _turn_down,
    "exclude": _exclude,
}
"""The step of each form: raises Invalid for what was typed wrongly, Malformed for what no form of ours sends."""
