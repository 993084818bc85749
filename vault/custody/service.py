"""What people agree on about the keys: proposed by one, approved by another, carried out at the machine where the root key is (promise 9).

Invariants: nothing here touches a key; a proposal says nothing but numbers and names; who approves is another person than who proposed,
with a fresh code; a copy counts as gone only when a signed-in person said so.
"""

import os
import re
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import select

from vault.access_log import tables as log_tables
from vault.access_log.deed import Deed
from vault.access_log.entry import WrittenFact
from vault.errors import Conflict, FieldError, Invalid, NotFound
from vault.identity.callers import Caller, still
from vault.identity.second_factor import SecondFactor
from vault.identity.two_people import require_two
from vault.rulebook import facts
from vault.rulebook.asker import Errand, once_for
from vault.rulebook.key_facts import CEREMONY, KEYS, MOST_COPIES, Act, CeremonyFact, CopyOfThen, KeysFact, Retirement, keys_fact
from vault.storage.idempotency import Once, made_before, remember

CREATED: Final = 201
ROOTS: Final = ("key-file", "passphrase-file", "systemd-credential", "shamir")
"""The kinds of roots a new slot may be for."""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_OPEN: Final = frozenset({"proposed", "approved"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """An act as asked for: `below` for `retire`, `name` for the others, `root` for a new slot."""

    act: Act
    below: int | None = None
    name: str | None = None
    root: str | None = None


@dataclass(frozen=True, slots=True)
class Approver:
    """A signed-in person about to approve, in this request; `code` is a one-time code of her own, None in a session stepped up by one."""

    caller: Caller
    request: str
    factor: SecondFactor
    code: str | None


def propose(deed: Deed, errand: Errand, wanted: Wanted, key: str | None) -> CeremonyFact:
    """Propose an act on the keys; a repeat under the same idempotency key gives the one it made.

    Raises Invalid for what the act needs and lacks or cannot be, Conflict `idempotency-mismatch`.
    """
    errand = errand.still(deed)
    once = once_for(errand.asker, route="keys.propose", key=key, body=msgspec.to_builtins(wanted))
    if once is not None and (made := made_before(deed.transaction, deed.association, once)) is not None:
        return ceremony(deed, made)
    require_sound(wanted, keys_fact(deed))
    id_ = os.urandom(16)
    fact = CeremonyFact(
        id=id_.hex(),
        act=wanted.act,
        proposed_by=errand.asker.ref,
        proposed_at=deed.now,
        below=wanted.below,
        name=wanted.name or "",
        root=wanted.root or "",
    )
    _tell(deed, errand, "keys.ceremony-proposed", facts.write(deed, CEREMONY, fact.id, fact))
    _remember(deed, once, id_)
    return fact


def approve(deed: Deed, approver: Approver, ceremony_: bytes) -> CeremonyFact:
    """Approve what another person proposed. Raises NotFound, Conflict `ceremony-settled`, `same-person`, `step-up-required`, TooMany."""
    caller = still(deed, approver.caller)
    errand, fact = Errand(caller, approver.request), ceremony(deed, ceremony_)
    kind = "keys.ceremony-approved"
    require_two(errand.book(deed), fact.proposed_by, caller, kind)
    if fact.state != "proposed":
        raise Conflict("ceremony-settled")
    approval = approver.factor.approve(deed, caller, approver.code, kind=kind)
    approved = msgspec.structs.replace(fact, state="approved", approved_by=caller.ref, approved_at=deed.now)
    _tell(deed, errand, kind, *approval.facts, facts.write(deed, CEREMONY, fact.id, approved))
    return approved


def withdraw(deed: Deed, errand: Errand, ceremony_: bytes) -> CeremonyFact:
    """Call off what was not carried out yet. Raises NotFound, Conflict `ceremony-settled`."""
    errand = errand.still(deed)
    fact = ceremony(deed, ceremony_)
    if fact.state not in _OPEN:
        raise Conflict("ceremony-settled")
    gone = msgspec.structs.replace(fact, state="withdrawn", settled_by=errand.asker.ref, settled_at=deed.now)
    _tell(deed, errand, "keys.ceremony-withdrawn", facts.write(deed, CEREMONY, fact.id, gone))
    return gone


def confirm(deed: Deed, errand: Errand, ceremony_: bytes, copy: str) -> Retirement:
    """Note that a named copy was replaced or destroyed after this retirement, on this person's word; said twice, the first word stands.

    Raises NotFound for a ceremony that retired nothing and for a copy that held nothing then.
    """
    errand = errand.still(deed)
    known = keys_fact(deed)
    found = next((each for each in known.retirements if each.ceremony == ceremony_.hex()), None)
    held = next((each for each in found.copies if each.name == copy), None) if found else None
    if found is None or held is None:
        raise NotFound
    if held.gone_at is not None:
        return found
    said = msgspec.structs.replace(held, gone_by=errand.asker.ref, gone_at=deed.now)
    settled = with_copy(found, said)
    retirements = tuple(settled if each is found else each for each in known.retirements)
    fact = facts.write(deed, KEYS, KEYS.name, msgspec.structs.replace(known, retirements=retirements))
    _tell(deed, errand, "keys.copy-gone", fact)
    return settled


def with_copy(retirement: Retirement, said: CopyOfThen) -> Retirement:
    """The retirement with this word about one of its copies."""
    copies = tuple(said if each.name == said.name else each for each in retirement.copies)
    return msgspec.structs.replace(retirement, copies=copies)


def page(deed: Deed, errand: Errand, state: str | None, after: int | None, limit: int) -> tuple[list[CeremonyFact], KeysFact, int | None]:
    """The ceremonies, newest first, what the log says of the keys, and the number the next page begins after; the look is an entry."""
    errand = errand.still(deed)
    told = log_tables.fact
    query = select(told.c.fact_key, told.c.number).where(
        told.c.association_id == deed.association, told.c.fact_kind == CEREMONY.name, told.c.version == 1
    )
    rows = deed.transaction.connection.execute(query.order_by(told.c.number.desc())).all()
    stored = facts.read_several(deed, CEREMONY, [row.fact_key for row in rows])
    meant = [row for row in rows if (after is None or row.number < after) and state in {None, stored[row.fact_key].state}]
    here, more = meant[:limit], meant[limit - 1].number if len(meant) > limit else None
    deed.append(errand.entry(kind="keys.ceremonies-read", outcome="allow", count=len(here)))
    return [stored[row.fact_key] for row in here], keys_fact(deed), more


def ceremony(deed: Deed, id_: bytes) -> CeremonyFact:
    """The ceremony of this id. Raises NotFound, Unavailable `integrity`."""
    found = facts.read(deed, CEREMONY, id_.hex())
    if found is None:
        raise NotFound
    return found


def require_sound(wanted: Wanted, known: KeysFact) -> None:
    """Raise Invalid where the act lacks what it needs, has what it does not, or cannot be as things stand."""
    if wanted.act == "retire":
        wrong = wanted.name is not None or wanted.root is not None
        if wanted.below is None or not known.minimum < wanted.below <= known.newest or wrong:
            raise Invalid([FieldError("below", "missing" if wanted.below is None else "out-of-range")])
        return
    if wanted.name is None or _NAME.fullmatch(wanted.name) is None or wanted.below is not None:
        raise Invalid([FieldError("name", "missing" if wanted.name is None else "out-of-range")])
    if (wanted.root in ROOTS) != (wanted.act == "slot-add") or (wanted.root is not None and wanted.root not in ROOTS):
        raise Invalid([FieldError("root", "out-of-range")])
    names = {each.name for each in known.copies}
    full = wanted.act == "copy-add" and (wanted.name in names or len(names) >= MOST_COPIES)
    if full or (wanted.act == "copy-remove" and wanted.name not in names):
        raise Invalid([FieldError("name", "out-of-range")])


def _tell(deed: Deed, errand: Errand, kind: str, *written: WrittenFact) -> None:
    article = f"{errand.book(deed).association.pack}:7"
    deed.append(errand.entry(kind=kind, outcome="allow", article=article, facts=written, flags=errand.asker.flags))


def _remember(deed: Deed, once: Once | None, id_: bytes) -> None:
    if once is not None:
        remember(deed.transaction, deed.association, once, id_, CREATED)
