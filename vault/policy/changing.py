"""What a change of pack does to purposes and to the consents that stand: pure functions, beside those that decide.

Invariants: what an association narrowed stays narrowed under any pack, and what a pack no longer knows is shut; a consent counts as touched
where it opens something else than now, more or less, and by the very functions that answer every question.
"""

from dataclasses import replace
from typing import Literal

from vault.policy.decide import decide
from vault.policy.facts import Caller, Channel, Person, Purpose, Question, Rules
from vault.policy.narrowing import within

Effect = Literal["wider", "insufficient", "narrower"]
"""What becomes of a consent: it opens what it did not, nothing of what it opened any more, or only a part of it."""


def met(own: Purpose, laid: Purpose) -> Purpose:
    """The purpose of a new pack as far as the association's own narrowing of it allows too; shut where the two do not fit each other."""
    made = replace(
        laid,
        forms=own.forms & laid.forms,
        internal_only=own.internal_only or laid.internal_only,
        double_opt_in=own.double_opt_in or laid.double_opt_in,
        honours_gpc=own.honours_gpc or laid.honours_gpc,
        classes=_both(own.classes, laid.classes),
        proof="vault" if "vault" in (own.proof, laid.proof) else "asserted",
        channel=_channel(own, laid),
    )
    alike = own.action == laid.action and own.basis == laid.basis
    return made if alike and within(made, laid) else shut(laid)


def shut(purpose: Purpose) -> Purpose:
    """The purpose with no class of data left: it opens nothing."""
    return replace(purpose, classes=frozenset())


def touched(person: Person, name: str, before: Rules, after: Rules, at: int) -> Effect | None:
    """What becomes of what a person agreed to under this name (`purpose|recipient`) when one rulebook takes another's place.

    None where it goes on opening what it does. The gravest counts: what somebody said in a form that was not enough, and now would be.
    """
    opened = opens(person, name, before, at)
    if opens(person, name, after, at) - opened:
        return "wider"
    if not opened:
        return None
    left = _covered(person, after, replace(_question(name, before.purposes[name.partition("|")[0]], at), fields=opened))
    if left == opened:
        return None
    return "narrower" if left else "insufficient"


def opens(person: Person, name: str, rules: Rules, at: int) -> frozenset[str]:
    """The fields of a record of the rules' type that open now by what a person agreed to under this name."""
    purpose, standing = rules.purposes.get(name.partition("|")[0]), person.standings.get(name)
    if purpose is None or standing is None:
        return frozenset()
    named = frozenset[str]().union(*(grant.fields for grant in standing.grants))
    return _covered(
        person, rules, replace(_question(name, purpose, at), fields=frozenset(name for name in named if name in rules.field_classes))
    )


def _question(name: str, purpose: Purpose, at: int) -> Question:
    """What the association itself would ask by this purpose, by the purpose's own means of contact."""
    code, _, recipient = name.partition("|")
    return Question(purpose.action, code, recipient, frozenset(), at, purpose.channel)


def _covered(person: Person, rules: Rules, question: Question) -> frozenset[str]:
    # After a restore that nobody has confirmed nothing leaves: that passes, and is no matter of the pack.
    verdict = decide(question, person, replace(rules, unconfirmed=False), Caller())
    return verdict.fields if verdict.allowed or verdict.reason == "FIELDS_NOT_COVERED" else frozenset()


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _channel(own: Purpose, laid: Purpose) -> Channel:
    """The one channel both mean: of publication none stands for all, of contact for nobody."""
    if own.action == "publish":
        return own.channel or laid.channel
    return own.channel if own.channel == laid.channel else ""
