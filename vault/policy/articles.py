"""The eight articles of the association's privacy policy, one small function each, its number in its name.

Each returns the reason code of CONTRACT 5 it refuses with, or None where it has nothing against the deed; none raises, none knows of the
others, and `decide` calls them in the order of the codes. A function that takes a grant judges that grant alone. What articles leave to
the law (documentation, capacity, guardians) is in `signers`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vault.policy.facts import INTERNAL, NEVER, Agreement, Caller, Grant, Order, Person, Purpose, Question, Rules, Standing, Supersession
from vault.policy.standing import blank

NARRATIVE: Final = (20, 10_000)
STOPPED: Final[Mapping[str, str]] = {
    "withdraw": "CONSENT_WITHDRAWN",
    "refuse": "CONSENT_REFUSED",
    "invalidate": "CONSENT_INVALIDATED",
}


@dataclass(frozen=True, slots=True)
class Matter:
    """One question with all it is judged by; the purpose is the one the question names."""

    question: Question
    purpose: Purpose
    person: Person
    rules: Rules


def article_1_known(question: Question, rules: Rules) -> str | None:
    """Nothing is asked, or a purpose or recipient nobody laid down: what is not known is not disclosed (article 1)."""
    if not question.fields:
        return "NO_FIELDS"
    if question.purpose not in rules.purposes:
        return "UNKNOWN_PURPOSE"
    if question.recipient != INTERNAL and question.recipient not in rules.recipients:
        return "UNKNOWN_RECIPIENT"
    return None


def in_our_name(question: Question, caller: Caller) -> bool:
    """Whether a processor's system asks for what the association itself would do, and not for data of its own (law 8, regulation 17)."""
    return caller.processes and question.recipient == INTERNAL and question.action in {"use", "contact"}


def article_1_scope(question: Question, rules: Rules, caller: Caller) -> str | None:
    """The caller asks beyond what was laid down for it; a third party's system may only ask for disclosure to itself (article 1)."""
    if caller.purposes is not None and question.purpose not in caller.purposes:
        return "OUT_OF_SCOPE"
    if caller.types is not None and rules.type not in caller.types:
        return "OUT_OF_SCOPE"
    to_itself = question.action == "disclose" and question.recipient == caller.party
    return None if caller.party == INTERNAL or to_itself or in_our_name(question, caller) else "OUT_OF_SCOPE"


def law_29_at_home(question: Question, rules: Rules, caller: Caller) -> str | None:
    """Nothing leaves the Kingdom: a transfer has conditions of its own (law 29), and until somebody lays them down the answer is no."""
    return None if rules.abroad.isdisjoint((question.recipient, caller.party)) else "RECIPIENT_ABROAD"


def article_2_bound(caller: Caller) -> str | None:
    """Who is not bound by the policy, or no longer, is told nothing; consultants and volunteers are bound too (article 2)."""
    if not caller.engaged:
        return "ENGAGEMENT_ENDED"
    return None if caller.acknowledged else "NOT_ACKNOWLEDGED"


def article_2_assigned(question: Question, caller: Caller) -> str | None:
    """A caseworker's duty reaches the people assigned to her or her unit, while they are (article 2, law 20(1))."""
    return "NOT_ASSIGNED" if caller.only_assigned and question.at >= caller.assigned_until else None


def article_3_personal(question: Question, rules: Rules) -> str | None:
    """Only fields a record type declares, each with its class, are data one can ask for (article 3)."""
    return None if question.fields <= rules.field_classes.keys() else "UNKNOWN_FIELD"


def article_4_order(question: Question, orders: Sequence[Order]) -> tuple[str, Order | None]:
    """The code for what the orders of judicial and regulatory authorities say, and the order it rests on (article 4, regulation 20(3)).

    An order opens exactly what it names, for the recipient it names, while it is in force (end exclusive) and once a second person has
    verified it. Orders are not added together: one must name every field. For `ORDER_SCOPE` the order that names most is returned.
    """
    stages = (
        ("NO_ORDER", list(orders)),
        ("ORDER_RECIPIENT", [order for order in orders if order.recipient == question.recipient]),
    )
    for code, left in stages:
        if not left:
            return code, None
    left = [order for order in stages[-1][1] if order.verified]
    if not left:
        return "ORDER_UNVERIFIED", None
    left = [order for order in left if order.valid_from <= question.at < order.valid_to]
    if not left:
        return "ORDER_EXPIRED", None
    widest = max(left, key=lambda order: (len(order.fields & question.fields), order.valid_to, order.id))
    return ("ORDER_OK" if question.fields <= widest.fields else "ORDER_SCOPE"), widest


def article_5_notice(matter: Matter, grant: Grant) -> str | None:
    """A consent to a notice that was materially changed since ends at the day set for asking anew (article 5)."""
    gone = any(
        deadline(news) <= matter.question.at for news in successors(matter.rules, grant.notice) if news.published_at <= matter.question.at
    )
    return "NOTICE_SUPERSEDED" if gone else None


def article_6_1_agreed(matter: Matter, standing: Standing) -> str | None:
    """Nobody agreed: not to this recipient, not to this purpose, or not yet at the moment asked about (article 6.1)."""
    if not blank(standing):
        return None if not standing.grants or any(recorded(matter, grant) for grant in standing.grants) else "NOT_YET_RECORDED"
    question = matter.question
    elsewhere = (other.granted for name, other in matter.person.standings.items() if name.partition("|")[0] == question.purpose)
    return "RECIPIENT_NOT_COVERED" if any(elsewhere) else "NO_CONSENT"


def article_6_1_in_force(standing: Standing) -> str | None:
    """Consent was given and is gone, or was signed before the last stop and cannot revive it (article 6.1, consent.md 2.2)."""
    if standing.grants:
        return None
    if standing.stale:
        return "STALE_GRANT"
    return STOPPED[standing.newest_stop.kind] if standing.newest_stop is not None else "NO_CONSENT"


def article_6_1_form(matter: Matter, grant: Grant) -> str | None:
    """Consent of a form that the purpose does not accept is no consent to it (articles 6.1, 6.4, 6.5)."""
    return None if grant.form in matter.purpose.forms else "EVIDENCE_INSUFFICIENT"


def article_6_2_written(matter: Matter, grant: Grant) -> str | None:
    """What leaves for a third party, or is laid down as disclosure, needs consent in writing, whatever the purpose accepts (6.2, 6.4)."""
    leaves = matter.question.recipient != INTERNAL or matter.purpose.action == "disclose"
    return "EVIDENCE_INSUFFICIENT" if leaves and grant.form != "written" else None


def article_6_2_agreement(question: Question, rules: Rules, caller: Caller) -> str | None:
    """The system of a party outside asks under an agreement in force or on an authority's order; consent stands in for neither (6.2)."""
    if caller.party == INTERNAL or rules.purposes[question.purpose].basis == "order":
        return None
    return "NO_AGREEMENT" if agreement_of(question, rules, caller) is None else None


def article_6_1_channel(question: Question, purpose: Purpose) -> str | None:
    """What somebody agreed to see published in one channel is not published in another (article 6.1)."""
    elsewhere = purpose.action == "publish" and purpose.channel not in {"", question.channel}
    return "ACTION_MISMATCH" if question.channel and elsewhere else None


def article_6_4_channel(question: Question, purpose: Purpose) -> str | None:
    """Somebody who agreed to one means of contact is not reached by another (article 6.4, law 25)."""
    other = purpose.action == "contact" and purpose.channel != question.channel
    return "ACTION_MISMATCH" if question.channel and other else None


def agreement_of(question: Question, rules: Rules, caller: Caller) -> Agreement | None:
    """The agreement in force with the caller's party that names the purpose and the class of every field; they are not added together."""
    laid = rules.agreements.get(caller.party, ())
    classes = {rules.field_classes[name] for name in question.fields} if laid else set()
    found = [
        each
        for each in laid
        if each.valid_from <= question.at < each.valid_to and question.purpose in each.purposes and classes <= each.classes
    ]
    return max(found, key=lambda each: (each.valid_to, each.id), default=None)


def article_6_3_in_house(question: Question, purpose: Purpose, caller: Caller) -> str | None:
    """Research, and every purpose laid down as the association's own, never leaves the house, to a processor as little (article 6.3)."""
    leaves = question.recipient != INTERNAL or caller.party != INTERNAL
    return "PURPOSE_INTERNAL_ONLY" if purpose.internal_only and leaves else None


def article_6_4_confirmed(matter: Matter, grant: Grant) -> str | None:
    """Where a purpose asks for it, the number or mailbox has answered for itself before it is written to (article 6.4)."""
    return "PENDING_CONFIRMATION" if matter.purpose.double_opt_in and not grant.confirmed else None


def article_6_5_signal(matter: Matter, standings: Iterable[Standing]) -> str | None:
    """A visitor whose browser asks not to be shared is not, and no consent older than the end of that signal revives (article 6.5)."""
    person, at = matter.person, matter.question.at
    if not matter.purpose.honours_gpc or person.opted_out_at is None or person.opted_out_at > at:
        return None
    ended = person.signal_ended_at
    if ended is None or ended > at or ended <= person.opted_out_at:
        return "SIGNAL_OPT_OUT"
    grants = [grant for standing in standings for grant in standing.grants]
    anew = any(grant.recorded_at > ended and grant.indicated_at > ended for grant in grants)
    return "SIGNAL_OPT_OUT" if grants and not anew else None


def article_7_restored(question: Question, rules: Rules) -> str | None:
    """After a restore that may lack withdrawals nothing leaves, calls on anybody or is published, until two confirmed (article 7)."""
    stays = question.recipient == INTERNAL and question.action == "use"
    return "RESTORED_UNCONFIRMED" if rules.unconfirmed and not stays else None


def article_7_kept(person: Person) -> str | None:
    """From the moment its erasure is asked for, nothing of what was entrusted opens again (article 7, law 18)."""
    return "ERASURE_PENDING" if person.locked else None


def article_7_contested(person: Person, purpose: Purpose, at: int) -> str | None:
    """The person has died, or contests what is stored: only duties that outlast it go on (article 7, law 2, regulation 7(1))."""
    if person.deceased_at is not None and person.deceased_at <= at and "deceased" not in purpose.despite:
        return "SUBJECT_DECEASED"
    return "RESTRICTED" if person.restricted and "restricted" not in purpose.despite else None


def article_8_report(category: str, narrative: str, categories: Collection[str]) -> str | None:
    """A report needs a category of the pack and between 20 and 10,000 characters of narrative, and nothing else (article 8)."""
    if category not in categories:
        return "UNKNOWN_CATEGORY"
    low, high = NARRATIVE
    return None if low <= len(narrative.strip()) <= high else "NARRATIVE_LENGTH"


def recorded(matter: Matter, grant: Grant) -> bool:
    """True where the vault knew of the grant at the moment asked about."""
    return grant.recorded_at <= matter.question.at


def successors(rules: Rules, notice: str) -> list[Supersession]:
    """The versions that took this notice's place, one after another: a material change reaches who agreed two versions ago."""
    found: list[Supersession] = []
    names, seen = [notice], {notice}
    while names:
        for news in rules.superseded.get(names.pop(), ()):
            found.append(news)
            if news.by and news.by not in seen:
                seen.add(news.by)
                names.append(news.by)
    return found


def deadline(news: Supersession) -> int:
    """The moment from which grants under the replaced notice no longer count; for an immaterial change, never."""
    if not news.material:
        return NEVER
    return news.published_at if news.reconsent_by is None else news.reconsent_by
