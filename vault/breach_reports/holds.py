"""Legal holds on reports and incidents: one person lays one with a reason, two lift it; while it stands nothing of the case is destroyed.

Invariants: the reason is a sealed part of the case; no two holds stand on one case; who proposed to lift one and who agrees are two
(promise 9), since lifting it opens the way to destroying evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.access_log.entry import About, Entry, WrittenFact
from vault.breach_reports import case, incident_file, incidents, kept_again, service
from vault.breach_reports.case import Text
from vault.breach_reports.incident_joining import refusal
from vault.breach_reports.incident_shapes import REASON, IncidentFact
from vault.breach_reports.retention import HoldState, What, standing
from vault.breach_reports.service import MOST_NOTE, Approval, SecondFactor
from vault.breach_reports.shapes import NOTE, Hold, ReportFact
from vault.errors import FieldError, Invalid
from vault.rulebook.asker import Errand
from vault.rulebook.two_people import same_person
from vault.storage.journal import Closing

HELD: Final[dict[What, str]] = {"report": "breach_report.held", "incident": "incident.held"}
PROPOSED: Final[dict[What, str]] = {"report": "breach_report.hold-lifting-proposed", "incident": "incident.hold-lifting-proposed"}
LIFTED: Final[dict[What, str]] = {"report": "breach_report.hold-lifted", "incident": "incident.hold-lifted"}
_PART: Final[dict[What, str]] = {"report": NOTE, "incident": REASON}


@dataclass(frozen=True, slots=True)
class _Held:
    """A case in a deed: its fact, how an entry names it, and how its next version is written."""

    what: What
    errand: Errand
    about: tuple[About, ...]
    fact: ReportFact | IncidentFact
    write: Callable[[tuple[Hold, ...], tuple[Text, ...]], WrittenFact]

    @property
    def stands(self) -> Hold:
        """The hold that stands. Raises HoldState."""
        found = standing(self.fact.holds)
        if found is None:
            raise HoldState
        return found

    def reason(self, text: str, *, beyond: int = 0) -> tuple[tuple[Text, ...], int]:
        """The reason as a part, and the number it will have. Raises Invalid."""
        if not text.strip() or len(text) > MOST_NOTE:
            raise Invalid([FieldError("reason", "out-of-range")])
        return (Text(_PART[self.what], self.errand.hand, msgspec.json.encode(text.strip()), beyond),), len(self.fact.parts)

    def tell(
        self,
        deed: Deed,
        kinds: dict[What, str],
        holds: tuple[Hold, ...],
        texts: tuple[Text, ...] = (),
        *,
        by: Approval | None = None,
        closes: Closing | None = None,
    ) -> Hold:
        """Write the holds and the entry of the deed, of the kind for this case; the newest of them."""
        used, flags = (by.facts, by.flags) if by else ((), self.errand.asker.flags)
        written = self.write(holds, texts)
        deed.append(self._entry(deed, kinds[self.what], about=self.about, facts=(*used, written), flags=flags), closes=closes)
        return holds[-1]

    def _entry(self, deed: Deed, kind: str, **members: object) -> Entry:
        article = f"{self.errand.book(deed).association.pack}:8"
        return self.errand.entry(kind=kind, outcome="allow", purpose="breach_report", article=article, **members)


def lay(deed: Deed, errand: Errand, what: What, id_: bytes, reason: str) -> Hold:
    """Lay a hold: from this answer on nothing of the case is destroyed. Raises NotFound, HoldState, Invalid, the refusal `excluded`."""
    held = _of(deed, errand, what, id_)
    if standing(held.fact.holds) is not None:
        raise HoldState
    texts, number = held.reason(reason, beyond=case.KEPT_FREE)
    laid = Hold(by=held.errand.hand, at=deed.now, reason=number)
    return held.tell(deed, HELD, (*held.fact.holds, laid), texts, closes=kept_again.hold(what, held.fact.id, laid))


def propose_lifting(deed: Deed, errand: Errand, what: What, id_: bytes, reason: str) -> Hold:
    """Propose to lift the hold that stands; it stands until another agrees. Takes the place of a proposal before. Raises as `lay`."""
    held = _of(deed, errand, what, id_)
    stands = held.stands
    # What is full can be let go of; who proposes anew what waits already takes no place that is kept free.
    texts, number = held.reason(reason, beyond=0 if stands.lifting_by else case.KEPT_FREE)
    proposed = msgspec.structs.replace(stands, lifting_by=held.errand.hand, lifting_at=deed.now, lifting_reason=number)
    return held.tell(deed, PROPOSED, (*held.fact.holds[:-1], proposed), texts)


@dataclass(frozen=True, slots=True)
class Second:
    """The second person, with her one-time code, or None in a session stepped up by one."""

    factor: SecondFactor
    code: str | None

    def lift(self, deed: Deed, errand: Errand, what: What, id_: bytes, proposal: int) -> Hold:
        """Lift the hold, as another proposed under this number. Raises NotFound, HoldState, and the refusals of a second person."""
        held = _of(deed, errand, what, id_)
        stands, kind = held.stands, LIFTED[what]
        if stands.lifting_reason is None or stands.lifting_reason != proposal:
            raise HoldState
        if same_person(errand.book(deed), stands.lifting_by, held.errand.asker.ref):
            raise refusal(deed, held.errand, held.about, kind, reason="SAME_PERSON")
        approval = self.factor.approve(deed, held.errand.asker, self.code, kind=kind, about=held.about)
        lifted = msgspec.structs.replace(stands, lifted_by=held.errand.hand, lifted_at=deed.now)
        return held.tell(deed, LIFTED, (*held.fact.holds[:-1], lifted), by=approval)


def _of(deed: Deed, errand: Errand, what: What, id_: bytes) -> _Held:
    """The case, for whom it is not kept from. Raises NotFound, Unavailable `integrity`, the refusal `excluded` with its entry."""
    errand = errand.still(deed)
    if what == "report":
        found = service.seen(deed, errand, id_)

        def write(holds: tuple[Hold, ...], texts: tuple[Text, ...]) -> WrittenFact:
            return case.change(deed, found, msgspec.structs.replace(found.fact, holds=holds), *texts)

        return _Held(what, errand, found.about, found.fact, write)
    incident = incident_file.load(deed, id_)
    if incidents.is_excluded(errand, incident.fact):
        raise refusal(deed, errand, incident.about, "incident.refused", reason="EXCLUDED")

    def write_(holds: tuple[Hold, ...], texts: tuple[Text, ...]) -> WrittenFact:
        return incident_file.change(deed, incident, msgspec.structs.replace(incident.fact, holds=holds), *texts)

    return _Held(what, errand, incident.about, incident.fact, write_)
