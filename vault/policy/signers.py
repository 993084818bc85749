"""Who may speak for whom, and how it is shown: documentation and guardianship by the law.

Sources: implementing regulation 11 and 13, Personal Status Law 136 to 139.

Each rule judges one grant and returns a reason code of CONTRACT 5 or None. Capacity is judged at the moment of signing, by what was known
when the grant was recorded and by what is known now; the guardian's removal and the ward's majority at the moment asked about. Full
capacity begins with its first microsecond.
"""

from vault.policy.articles import Matter
from vault.policy.facts import SELF, Grant, Guardian, Person, Standing
from vault.policy.standing import lacks_capacity


def complete(_matter: Matter, grant: Grant) -> str | None:
    """All parts of the evidence are there (regulation 11(1): documented so that it can be verified later)."""
    return None if grant.complete else "EVIDENCE_INCOMPLETE"


def verified(matter: Matter, grant: Grant) -> str | None:
    """A second person had verified the evidence at the moment asked about."""
    return None if grant.verified and grant.usable_from <= matter.question.at else "EVIDENCE_UNVERIFIED"


def capable(matter: Matter, grant: Grant) -> str | None:
    """Who signed for herself was of full capacity when she signed (regulation 11(1)); another birth date told later gives none back."""
    if grant.by != SELF:
        return None
    return "NO_CAPACITY" if not grant.capable or lacks_capacity(matter.person, grant.indicated_at) else None


def authorised(matter: Matter, grant: Grant) -> str | None:
    """Who signed for another was that person's verified guardian, for a ward, or agent by deed, for an adult (regulation 13)."""
    if grant.by == SELF:
        return None
    guardian, person = guardian_of(matter.person, grant.by), matter.person
    if guardian is None or not guardian.verified:
        return "GUARDIANSHIP_UNVERIFIED"
    if guardian.kind != "agent" and person.full_capacity_from is None and not person.interdicted:
        return "GUARDIANSHIP_UNVERIFIED"
    inside = guardian.valid_from <= grant.indicated_at and (guardian.valid_to is None or grant.indicated_at < guardian.valid_to)
    return None if inside or guardian.removed_for_cause_at is not None else "GUARDIANSHIP_UNVERIFIED"


def not_removed(matter: Matter, grant: Grant) -> str | None:
    """The guardian who signed has not been removed for cause; one who was merely replaced leaves good consent behind."""
    guardian = guardian_of(matter.person, grant.by)
    removed = guardian.removed_for_cause_at if guardian is not None else None
    return "GUARDIAN_REMOVED" if removed is not None and removed <= matter.question.at else None


def reaffirmed(matter: Matter, grant: Grant) -> str | None:
    """What a guardian gave ends with the ward's majority, until she confirms it; an agent she appointed since then still speaks for her."""
    person, day = matter.person, matter.person.full_capacity_from
    if grant.by == SELF or person.interdicted or day is None or matter.question.at < day:
        return None
    guardian = guardian_of(person, grant.by)
    agent = guardian is not None and guardian.kind == "agent" and grant.indicated_at >= day
    return None if agent else "REAFFIRMATION_REQUIRED"


def agreed_among(matter: Matter, standing: Standing) -> str | None:
    """Guardians in office who contradict each other decide nothing: one says yes, another refused, or withdrew what was given anew."""
    at = matter.question.at
    if not standing.words or not lacks_capacity(matter.person, at):
        return None
    words = [word for word in standing.words if in_office(matter.person, word.by, at)]
    against = {"refuse", "withdraw"} if standing.grants else {"refuse"}
    return "GUARDIAN_CONFLICT" if any(word.kind == "grant" for word in words) and any(word.kind in against for word in words) else None


def in_office(person: Person, by: str, at: int) -> bool:
    """False once this guardian's office has ended; one the vault knows nothing of is heard, since a word against must not be lost."""
    guardian = guardian_of(person, by)
    return guardian is None or guardian.valid_to is None or at < guardian.valid_to


def may_speak(person: Person, by: str, at: int) -> bool:
    """False for a former guardian, by majority or by the end of the office: at the door 403, for a grant and for a withdrawal alike."""
    if by == SELF:
        return True
    guardian = guardian_of(person, by)
    agent = guardian is not None and guardian.kind == "agent"
    of_age = person.full_capacity_from is not None and not lacks_capacity(person, at)
    return in_office(person, by, at) and (agent or not of_age)


def guardian_of(person: Person, by: str) -> Guardian | None:
    """The guardian of this id, if the person has one."""
    return next((guardian for guardian in person.guardians if guardian.id == by), None)
