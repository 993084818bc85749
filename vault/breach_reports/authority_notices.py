"""What officers do about the notice to the authority: write it, read it, note that the authority's platform took it, and supplement it.

Invariants: the words are parts under the incident's own key, and each look at them is an entry first; nothing is filed by machine, and what
is noted as filed names the platform's reference; a notice with gaps is filed as partial, with reasons (implementing regulation 24).
"""

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from vault.access_log.deed import Deed
from vault.breach_reports import authority_notice as rules
from vault.breach_reports import case, door, incident_file, incidents, service
from vault.breach_reports import incident_lifecycle as lifecycle
from vault.breach_reports.authority_notice import Content
from vault.breach_reports.case import Text
from vault.breach_reports.incident_file import Incident
from vault.breach_reports.incident_shapes import AUTHORITY_NOTICE, REASON, AuthorityNotice, IncidentFact, Settled
from vault.breach_reports.incidents import MOST_REFERENCE
from vault.errors import FieldError, Invalid
from vault.rulebook.asker import Errand

DRAFTED: Final = "incident.notice-drafted"
FILED: Final = "incident.notice-filed"
SUPPLEMENTED: Final = "incident.notice-supplemented"


@dataclass(frozen=True, slots=True)
class Filing:
    """That the authority's platform took a notice: when, under which reference, and why with gaps or so late."""

    filed_at: int
    reference: str
    partial: bool = False
    reasons: str = ""
    late_reason: str = ""


def draft(deed: Deed, errand: Errand, incident: bytes, content: Content) -> IncidentFact:
    """Write a notice, whole or with gaps; earlier ones stay as they are. Raises NotFound, IncidentState, TooMany, refusals."""
    errand, found = incidents.seen(deed, errand, incident)
    if content.happened_at is not None:
        lifecycle.require_moment(content.happened_at, deed.now, "happened_at")
    made = AuthorityNotice(part=len(found.fact.parts), by=errand.hand, at=deed.now, gaps=rules.gaps(content))
    fact = rules.drafted(found.fact, made)
    text = Text(AUTHORITY_NOTICE, errand.hand, msgspec.json.encode(content), case.kept_for(found.fact.parts, errand.hand))
    incidents.tell(deed, errand, found, DRAFTED, incident_file.change(deed, found, fact, text))
    return fact


def shown(deed: Deed, errand: Errand, incident: bytes) -> IncidentFact:
    """The incident, for a list of its notices; nothing anybody wrote is opened. Raises NotFound, refusals."""
    return incidents.seen(deed, errand, incident)[1].fact


def read(deed: Deed, errand: Errand, incident: bytes, number: int) -> door.TakenIncident:
    """One notice with the reasons it was filed with: the entry is appended, and it opens once that is committed. Raises NotFound."""
    errand, found = incidents.seen(deed, errand, incident)
    notice = rules.named(found.fact, number)
    kinds = (AUTHORITY_NOTICE,) if notice.reasons is None else (AUTHORITY_NOTICE, REASON)
    only = [each for each in (notice.part, notice.reasons) if each is not None]
    return door.take_incident(deed, found, incidents.look(errand, deed), kinds, only)


def file(deed: Deed, errand: Errand, incident: bytes, number: int, filing: Filing) -> IncidentFact:
    """Note that the platform took a notice: the first settles the authority's track, a later one supplements it.

    Raises NotFound, IncidentState, Invalid for gaps without the word that it is partial, for missing reasons and a missing `late_reason`.
    """
    errand, found = incidents.seen(deed, errand, incident)
    notice = rules.named(found.fact, number)
    rules.require_fileable(notice, partial=filing.partial, reasons=filing.reasons)
    if len(filing.reference) > MOST_REFERENCE:
        raise Invalid([FieldError("reference", "out-of-range")])
    texts: list[Text] = []
    reasons = _added(found, errand, texts, filing.reasons if notice.gaps else "", "reasons")
    # Only what settles the track can be late.
    is_first = lifecycle.settled(found.fact, "authority") is None
    late = _added(found, errand, texts, filing.late_reason if is_first else "", "late_reason")
    made = Settled(
        track="authority",
        how="filed",
        at=deed.now,
        by=errand.hand,
        filed_at=filing.filed_at,
        reference=filing.reference.strip(),
        reason=late,
    )
    told = msgspec.structs.replace(notice, reasons=reasons)
    fact = rules.filed(found.fact, told, made, service.hours(errand.book(deed)), deed.now)
    kind = SUPPLEMENTED if rules.named(fact, number).supplement else FILED
    incidents.tell(deed, errand, found, kind, incident_file.change(deed, found, fact, *texts))
    return fact


def _added(found: Incident, errand: Errand, texts: list[Text], words: str, field: str) -> int | None:
    """The number the part with these words will have, None for no words. Raises Invalid.

    A filing has a term of the law: it takes no place of those its hand may have used up.
    """
    if not words.strip():
        return None
    texts.append(replace(incidents.reason_of(errand, found, words, field), beyond=case.KEPT_FREE))
    return len(found.fact.parts) + len(texts) - 1
