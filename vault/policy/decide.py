"""Facts in, verdict out: every answer cites an article and a reason, and what is not known is a no.

The order of checks is that of CONTRACT 5; the first that applies is the reason. Where the contract leaves a place open:

1. `ENGAGEMENT_ENDED`, `NOT_ACKNOWLEDGED` (article 2) stand before all others: who is not bound is told nothing.
2. `NO_FIELDS`, `UNKNOWN_PURPOSE`, `UNKNOWN_RECIPIENT`, `UNKNOWN_FIELD`, `OUT_OF_SCOPE`, `RECIPIENT_ABROAD` (law 29); then
   `NOT_PERMITTED` to whoever asks for an order's purpose without the scope for orders, so that no answer tells whether an order exists.
   `NO_AGREEMENT` to the system of a party outside without an agreement in force for purpose and fields, whoever the person is.
3. `NOT_ASSIGNED` to a caseworker about somebody who is not assigned to her or her unit at that moment: she is told nothing else of her.
   `RESTORED_UNCONFIRMED`: after a restore without a complete journal nothing leaves, calls on anybody or is published, orders included.
   `ERASURE_PENDING`: from the request for erasure nothing opens, an order and the law's duties included (it stands before the orders).
4. Orders, independent of consent, death and restriction. An order in force for another action than its purpose's is `ACTION_MISMATCH`.
5. `SUBJECT_DECEASED`, then `RESTRICTED`: a duty of the law may outlast them (`Purpose.despite`), consent never does.
6. `PURPOSE_INTERNAL_ONLY`, `ACTION_MISMATCH` (an unknown action too; it cites article 1), `SIGNAL_OPT_OUT`.
7. Duties of the law: `LAW_OK` to the association alone; past their hours or for another than who stored the record, `OUT_OF_SCOPE`.
8. Consent: what nobody agreed to, guardians who contradict each other, what is gone after folding; then the live grants pass rule after
   rule, and the rule that none survives is the reason. What survives covers the union of its fields, a field of a sensitive class only by
   an explicit grant, and all or nothing is allowed. A merged duplicate's standing must say yes as well.

Basis of a permit: `written_consent` where grants in writing alone cover every field, else the weaker `electronic_consent` (`agreement`
for other forms a pack may accept). `valid_until` is at most 60 s on, and never beyond what the permit rests on. Times in microseconds UTC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vault.policy.articles import (
    Matter,
    agreement_of,
    article_1_known,
    article_1_scope,
    article_2_assigned,
    article_2_bound,
    article_3_personal,
    article_4_order,
    article_5_notice,
    article_6_1_agreed,
    article_6_1_channel,
    article_6_1_form,
    article_6_1_in_force,
    article_6_2_agreement,
    article_6_2_written,
    article_6_3_in_house,
    article_6_4_channel,
    article_6_4_confirmed,
    article_6_5_signal,
    article_7_contested,
    article_7_kept,
    article_7_restored,
    deadline,
    law_29_at_home,
    recorded,
    successors,
)
from vault.policy.facts import INTERNAL, SELF, Basis, Caller, Grant, Order, Person, Question, Rules, Standing, Verdict, key
from vault.policy.needs import missing
from vault.policy.signers import agreed_among, authorised, capable, complete, not_removed, reaffirmed, verified

SHELF_LIFE: Final = 60_000_000
HOUR: Final = 3_600_000_000
ACTIONS: Final = frozenset({"use", "contact", "publish", "disclose"})
CODES: Final = (
    *("ENGAGEMENT_ENDED", "NOT_ACKNOWLEDGED"),
    *("NO_FIELDS", "UNKNOWN_PURPOSE", "UNKNOWN_RECIPIENT", "UNKNOWN_FIELD", "OUT_OF_SCOPE", "RECIPIENT_ABROAD"),
    *("NOT_PERMITTED", "NO_AGREEMENT", "NOT_ASSIGNED", "RESTORED_UNCONFIRMED", "ERASURE_PENDING"),
    *("NO_ORDER", "ORDER_RECIPIENT", "ORDER_UNVERIFIED", "ORDER_EXPIRED", "ORDER_SCOPE", "ORDER_OK"),
    *("SUBJECT_DECEASED", "RESTRICTED", "PURPOSE_INTERNAL_ONLY", "ACTION_MISMATCH", "SIGNAL_OPT_OUT", "LAW_OK"),
    *("RECIPIENT_NOT_COVERED", "NO_CONSENT", "NOT_YET_RECORDED", "GUARDIAN_CONFLICT"),
    *("STALE_GRANT", "CONSENT_WITHDRAWN", "CONSENT_REFUSED", "CONSENT_INVALIDATED"),
    *("EVIDENCE_INSUFFICIENT", "EVIDENCE_INCOMPLETE", "EVIDENCE_UNVERIFIED", "PENDING_CONFIRMATION"),
    *("NO_CAPACITY", "GUARDIANSHIP_UNVERIFIED", "GUARDIAN_REMOVED", "REAFFIRMATION_REQUIRED"),
    *("CONSENT_EXPIRED", "NOTICE_SUPERSEDED", "EXPLICIT_REQUIRED", "FIELDS_NOT_COVERED", "CONSENT_OK"),
)
"""Every reason code, in the order in which the first that applies is given."""

CONFIDED: Final = frozenset(
    {
        *("ERASURE_PENDING", "NO_ORDER", "ORDER_RECIPIENT", "ORDER_UNVERIFIED", "ORDER_EXPIRED", "ORDER_SCOPE"),
        *("SUBJECT_DECEASED", "RESTRICTED", "GUARDIAN_CONFLICT", "CONSENT_INVALIDATED"),
        *("NO_CAPACITY", "GUARDIANSHIP_UNVERIFIED", "GUARDIAN_REMOVED", "REAFFIRMATION_REQUIRED"),
    }
)
"""Reasons that tell something beyond the person's own agreement: named to officers only (CONTRACT 3)."""

_RANK: Final[Mapping[str, int]] = {code: rank for rank, code in enumerate(CODES)}
_UNKNOWN: Final = frozenset({"UNKNOWN_PURPOSE", "UNKNOWN_RECIPIENT", "UNKNOWN_FIELD"})
_FORM_BASIS: Final[Mapping[str, Basis]] = {"written": "written_consent", "electronic": "electronic_consent"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one standing says: a reason, the covered part of the question, and the grants that cover it."""

    reason: str
    covered: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()


def decide(question: Question, person: Person, rules: Rules, caller: Caller, orders: Sequence[Order] = ()) -> Verdict:
    """The verdict on one question about one person; `orders` are those that name this person, known at `question.at`.

    Raises nothing for any well-typed facts. `Verdict.fields` is the covered part of the question's fields on a permit and on
    `FIELDS_NOT_COVERED` and `ORDER_SCOPE`, else empty.
    """
    refused = barred(question, rules, caller)
    if refused is not None:
        return refused
    purpose = rules.purposes[question.purpose]
    matter = Matter(question, purpose, person, rules)
    reason = article_2_assigned(question, caller) or article_7_restored(question, rules) or article_7_kept(person)
    if reason is not None:
        return _refusal(question, rules, reason)
    return _ended_with(matter, caller, _by_order(matter, orders) if purpose.basis == "order" else _by_law_or_consent(matter, caller))


def _by_law_or_consent(matter: Matter, caller: Caller) -> Verdict:
    """What no order opens: by a duty of the law or by consent."""
    question, person, purpose = matter.question, matter.person, matter.purpose
    reason = article_7_contested(person, purpose, question.at) or article_6_3_in_house(question, purpose, caller) or _action(matter)
    if reason is not None:
        return _refusal(question, matter.rules, reason)
    return _by_law(matter, caller) if purpose.basis == "law" else _by_consent(matter)


def _ended_with(matter: Matter, caller: Caller, verdict: Verdict) -> Verdict:
    """A permit to a caseworker lasts no longer than the person is assigned to her, one to a party's system no longer than its agreement."""
    until = verdict.valid_until
    if until is None or (caller.party == INTERNAL and not caller.only_assigned):
        return verdict
    agreement = None if matter.purpose.basis == "order" else agreement_of(matter.question, matter.rules, caller)
    if caller.only_assigned:
        until = min(until, caller.assigned_until)
    if agreement is not None:
        until = min(until, agreement.valid_to)
    return replace(verdict, valid_until=until, agreement=agreement.id if agreement else None)


def barred(question: Question, rules: Rules, caller: Caller) -> Verdict | None:
    """The refusal of a question that may not be asked about anybody at all (1 and 2 above), None for one that each person decides."""
    reason = (
        article_2_bound(caller)
        or article_1_known(question, rules)
        or article_3_personal(question, rules)
        or article_1_scope(question, rules, caller)
        or law_29_at_home(question, rules, caller)
    )
    if reason is None and rules.purposes[question.purpose].basis == "order" and not caller.may_ask_orders:
        reason = "NOT_PERMITTED"
    reason = reason or article_6_2_agreement(question, rules, caller)
    return None if reason is None else _refusal(question, rules, reason)


def known_here(question: Question, person: Person, rules: Rules, caller: Caller) -> Verdict:
    """The verdict on telling a searcher that this person is here, by id alone: the verdict on the question itself.

    Under a duty that ends with hours (intake) it asks neither when nor by whom she was stored, nor to whom she is assigned, nor what she
    agreed to since: whoever takes a person in must learn that she is here already, and learns nothing else. Raises nothing.
    """
    purpose = rules.purposes.get(question.purpose)
    if purpose is not None and purpose.within_hours is not None:
        rules = replace(rules, purposes={**rules.purposes, purpose.code: replace(purpose, within_hours=None)})
        caller = replace(caller, only_assigned=False)
    return decide(question, person, rules, caller)


def masked(verdict: Verdict, caller: Caller) -> Verdict:
    """The verdict as this caller may hear it: confided reasons become `NOT_PERMITTED`, without a covered part and without what is missing.

    Officers (`sees_reasons`) hear all; who may ask for orders hears what is wrong with one.
    """
    heard = verdict.allowed or caller.sees_reasons or verdict.reason not in CONFIDED
    if heard or (caller.may_ask_orders and verdict.reason in {"NO_ORDER", *(code for code in CODES if code.startswith("ORDER_"))}):
        return verdict
    return replace(verdict, reason="NOT_PERMITTED", fields=frozenset(), missing=())


def cites(question: Question, rules: Rules, reason: str) -> tuple[str, str]:
    """The article and the law a verdict cites, such as ("cooperative:6.2", "sa-pdpl:15"); the same for permit and refusal of a purpose.

    Article 1 for what is unknown, 2 for who is not bound (CONTRACT 2).
    """
    purpose = rules.purposes.get(question.purpose)
    if reason in {"ENGAGEMENT_ENDED", "NOT_ACKNOWLEDGED", "NOT_ASSIGNED"}:
        return f"{rules.pack}:2", ""
    if reason == "RESTORED_UNCONFIRMED":
        return f"{rules.pack}:7", ""
    if purpose is not None and reason == "RECIPIENT_ABROAD":
        return f"{rules.pack}:{purpose.article}", f"{rules.law_pack}:29"
    unknown = reason in _UNKNOWN or (reason == "ACTION_MISMATCH" and question.action not in ACTIONS)
    if purpose is None or unknown:
        return f"{rules.pack}:1", ""
    return f"{rules.pack}:{purpose.article}", f"{rules.law_pack}:{purpose.law}" if purpose.law else ""


def _refusal(question: Question, rules: Rules, reason: str, covered: frozenset[str] = frozenset()) -> Verdict:
    article, law = cites(question, rules, reason)
    return Verdict(
        allowed=False, reason=reason, article=article, law=law, basis="none", fields=covered, missing=missing(question, rules, reason)
    )


def _permit(
    matter: Matter, reason: str, basis: Basis, ends: Iterable[int | None], *, grants: tuple[str, ...] = (), order: str | None = None
) -> Verdict:
    question = matter.question
    article, law = cites(question, matter.rules, reason)
    until = min([question.at + SHELF_LIFE, *(end for end in ends if end is not None and end > question.at)])
    return Verdict(
        allowed=True,
        reason=reason,
        article=article,
        law=law,
        basis=basis,
        fields=question.fields,
        valid_until=until,
        grants=grants,
        order=order,
    )


def _action(matter: Matter) -> str | None:
    """Each purpose is laid down for one action, and a pack may set a signal before all consent (articles 1 and 6.5)."""
    if matter.question.action != matter.purpose.action:
        return "ACTION_MISMATCH"
    reason = article_6_1_channel(matter.question, matter.purpose) or article_6_4_channel(matter.question, matter.purpose)
    if reason is not None:
        return reason
    standing = matter.person.standings.get(key(matter.purpose.code, matter.question.recipient), Standing())
    return article_6_5_signal(matter, (standing, *standing.twins))


def _by_order(matter: Matter, orders: Sequence[Order]) -> Verdict:
    question, rules = matter.question, matter.rules
    code, order = article_4_order(question, orders)
    if order is None:
        return _refusal(question, rules, code)
    if code == "ORDER_SCOPE":
        return _refusal(question, rules, code, question.fields & order.fields)
    if question.action != matter.purpose.action:
        return _refusal(question, rules, "ACTION_MISMATCH")
    basis: Basis = "judicial_order" if order.kind == "judicial" else "regulatory_order"
    return _permit(matter, code, basis, [order.valid_to], order=order.id)


def _by_law(matter: Matter, caller: Caller) -> Verdict:
    """A duty of the association's own asks nobody's consent; intake ends with its hours, and with the first word on any purpose."""
    question, purpose, person = matter.question, matter.purpose, matter.person
    end = None
    if purpose.within_hours is not None:
        end = person.stored_at + purpose.within_hours * HOUR if person.stored_at is not None else None
        if end is None or question.at >= end or not caller.is_storer or person.standings:
            return _refusal(question, matter.rules, "OUT_OF_SCOPE")
    covered = _admitted(matter)
    if covered != question.fields:
        return _refusal(question, matter.rules, "FIELDS_NOT_COVERED", covered)
    return _permit(matter, "LAW_OK", "law", [end])


def _by_consent(matter: Matter) -> Verdict:
    question = matter.question
    standing = matter.person.standings.get(key(question.purpose, question.recipient), Standing())
    findings = [_finding(matter, each) for each in (standing, *standing.twins)]
    first = min(findings, key=lambda finding: _RANK[finding.reason])
    covered = frozenset.intersection(*(finding.covered for finding in findings))
    if first.reason != "CONSENT_OK":
        return _refusal(question, matter.rules, first.reason, covered if first.reason == "FIELDS_NOT_COVERED" else frozenset())
    grants = {grant.id: grant for finding in findings for grant in finding.grants}
    ends = [end for grant in grants.values() for end in _ends(matter, grant)]
    return _permit(matter, "CONSENT_OK", _basis(grants.values()), ends, grants=tuple(grants))


def _finding(matter: Matter, standing: Standing) -> Finding:
    """What one standing says, rule after rule in the order of the codes."""
    reason = article_6_1_agreed(matter, standing) or agreed_among(matter, standing) or article_6_1_in_force(standing)
    if reason is not None:
        return Finding(reason)
    grants = [grant for grant in standing.grants if recorded(matter, grant)]
    for rule in RULES:
        left = [grant for grant in grants if rule(matter, grant) is None]
        if not left:
            return Finding(rule(matter, grants[0]) or "NO_CONSENT")
        grants = left
    return _coverage(matter, grants)


def _coverage(matter: Matter, grants: Sequence[Grant]) -> Finding:
    """All or nothing on fields; a sensitive one by an explicit grant only (regulation 11(2))."""
    fields, admitted = matter.question.fields, _admitted(matter)
    named = admitted & frozenset().union(*[grant.fields for grant in grants])
    borne = [_borne(matter, grant, admitted) for grant in grants]
    if named != frozenset().union(*borne):
        return Finding("EXPLICIT_REQUIRED")
    if named != fields:
        return Finding("FIELDS_NOT_COVERED", named)
    return Finding("CONSENT_OK", fields, _used(fields, grants, borne))


def _used(fields: frozenset[str], grants: Sequence[Grant], borne: Sequence[frozenset[str]]) -> tuple[Grant, ...]:
    """The grants a permit rests on, no more than it needs: from those in writing where they suffice, else from all."""
    left, used = fields, []
    written = {at: borne[at] for at, grant in enumerate(grants) if grant.form == "written"}
    covers = written if fields <= frozenset().union(*written.values()) else dict(enumerate(borne))
    while left:
        # The newest of those that cover most of what is left.
        best = max(covers, key=lambda at: (len(covers[at] & left), at))
        used.append(best)
        left -= covers[best]
    return tuple([grants[at] for at in sorted(used)])


def _borne(matter: Matter, grant: Grant, admitted: frozenset[str]) -> frozenset[str]:
    """The fields this grant alone bears: named in it, and explicitly where the field's class is sensitive."""
    named, rules = admitted & grant.fields, matter.rules
    return named if grant.explicit else frozenset(name for name in named if rules.field_classes[name] not in rules.sensitive_classes)


def _admitted(matter: Matter) -> frozenset[str]:
    """The fields asked for that are of a class the purpose reaches at all; nobody is contacted with sensitive data (law 26)."""
    fields, classes, known = matter.question.fields, matter.purpose.classes, matter.rules.field_classes
    if matter.purpose.action == "contact":
        fields = frozenset([name for name in fields if known[name] not in matter.rules.sensitive_classes])
    return fields if classes is None else frozenset([name for name in fields if known[name] in classes])


def _basis(grants: Iterable[Grant]) -> Basis:
    """The form all grants share, or the weaker one where they differ: a permit never claims more than each of them bears out."""
    forms: set[str] = {grant.form for grant in grants}
    if forms == {"written"}:
        return "written_consent"
    return "electronic_consent" if forms <= {"written", "electronic"} else "agreement"


def _ends(matter: Matter, grant: Grant) -> list[int | None]:
    """What ends the permit: the grant's expiry, the day of a material change of its notice, the ward's majority."""
    days = [deadline(news) for news in successors(matter.rules, grant.notice)]
    return [grant.expires_at, *days, matter.person.full_capacity_from if grant.by != SELF else None]


def unexpired(matter: Matter, grant: Grant) -> str | None:
    """The consent has not run out; its end is exclusive."""
    return "CONSENT_EXPIRED" if grant.expires_at is not None and grant.expires_at <= matter.question.at else None


RULES: Final[tuple[Callable[[Matter, Grant], str | None], ...]] = (
    *(article_6_1_form, article_6_2_written, complete, verified, article_6_4_confirmed),
    *(capable, authorised, not_removed, reaffirmed),
    *(unexpired, article_5_notice),
)
"""The rules every grant passes, in the order of the codes they refuse with."""
