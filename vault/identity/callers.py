"""Who asks: one frozen Caller for an API client or a signed-in person, good for the law it was read under.

Invariants: a caller carries no secret; what a caller may is read again inside the deed as soon as the law moved, so a revocation that is
recorded before an answer's entry is in force for that answer.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from keys.cabinet import Cabinet
from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import Entry
from vault.errors import Unauthenticated
from vault.identity.policy_version import has_acknowledged
from vault.identity.scopes import CASEWORKER, CUSTODIAN, KEYS, OWN, SCREEN
from vault.policy.facts import INTERNAL, NEVER
from vault.policy.facts import Caller as Asker
from vault.rulebook import facts
from vault.rulebook.association import Association
from vault.rulebook.book import Book
from vault.rulebook.shapes import PROCESSOR, SESSION, ClientFact, SessionFact, StaffFact
from vault.web import Access, Needs, Person, Public


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Caller:
    """One API client or one person in one session.

    `ref` is the actor in the log, `on_behalf` the person at the screen of an interactive client ("staff:<hex>"); `key` is the fact's key in
    the book (a client's key id, a person's id); `purposes` None means all; `needs` is the scope of the route it came through;
    `assignees` are the person and her unit, to whom cases are assigned; `asker` is the caller as a verdict takes it; `expires` and
    `stepped_up_until` are microseconds UTC.
    """

    association: Association = field(repr=False)
    ref: str
    kind: Literal["client", "staff"]
    id: str
    key: str
    party: str = INTERNAL
    scopes: frozenset[str] = frozenset()
    purposes: frozenset[str] | None = None
    law: int = 0
    expires: int = NEVER
    on_behalf: str | None = None
    acknowledged: bool = True
    ceremony: bool = False
    session: str | None = None
    stepped_up_until: int = 0
    needs: str = ""
    assignees: frozenset[str] = frozenset()
    asker: Asker = field(default_factory=Asker, repr=False)

    @property
    def is_person(self) -> bool:
        """Tell whether a signed-in person asks."""
        return self.kind == "staff"

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags every entry of this caller's approvals carries."""
        return ("ceremony",) if self.ceremony and self.is_person else ()

    def still(self, deed: Deed) -> "Caller":
        """The caller as it stands inside this deed; see `still`."""
        return still(deed, self)


def may(caller: Caller, access: Access) -> bool:
    """Say whether this caller comes in at a route of this access class."""
    match access:
        case Public():
            return True
        case Person(scope):
            return caller.kind == "staff" and scope in caller.scopes
        case Needs(scope):
            return scope in caller.scopes


def still(deed: Deed, caller: Caller) -> Caller:
    """The caller as it stands inside this deed, itself where nothing moved.

    Raises Unauthenticated where the key, account or session ended by now, and a refusal where the scope of its route was taken away.
    """
    if deed.law == caller.law and deed.now < caller.expires:
        return caller
    book = caller.association.books.at(deed)
    found = _client_again(book, caller, deed.now) if caller.kind == "client" else _person_again(deed, caller)
    if caller.needs and caller.needs not in found.scopes:
        raise EntryRefusal(out_of_scope_entry(book, found))
    return found


def out_of_scope_entry(book: Book, caller: Caller, *, door: str = "") -> Entry:
    """The entry of a call that a caller may not make: article 2 where the policy is not acknowledged, else article 1."""
    reason, article = ("OUT_OF_SCOPE", "1") if caller.acknowledged else ("NOT_ACKNOWLEDGED", "2")
    return Entry(
        kind="call.refused",
        outcome="refuse",
        actor=caller.ref,
        on_behalf=caller.on_behalf,
        reason=reason,
        article=f"{book.association.pack}:{article}",
        flags=(door,) if door else (),
    )


def client_caller(association: Association, book: Book, key: str, client: ClientFact, needs: str = "") -> Caller:
    """The caller that a client's key makes under this book."""
    scopes, purposes = frozenset(client.scopes), frozenset(client.purposes)
    return Caller(
        association=association,
        ref=f"client:{client.id}",
        kind="client",
        id=client.id,
        key=key,
        party=client.party,
        scopes=scopes,
        purposes=purposes,
        law=book.law,
        expires=NEVER if client.expires_at is None else client.expires_at,
        ceremony=client.ceremony,
        needs=needs,
        asker=replace(
            _asker(client.party, scopes, purposes),
            types=None if client.types is None else frozenset(client.types),
            processes=client.party in book.recipients and book.recipients[client.party].kind == PROCESSOR,
        ),
    )


def client_stands(book: Book, client: ClientFact | None, now: int) -> bool:
    """Say whether a client's key opens anything at this moment."""
    if client is None or client.revoked_at is not None or (client.expires_at is not None and client.expires_at <= now):
        return False
    if client.party == INTERNAL:
        return True
    recipient = book.recipients.get(client.party)
    return recipient is not None and recipient.revoked_at is None


def person_caller(association: Association, book: Book, member: StaffFact, needs: str = "") -> Caller:
    """The caller that a person's account makes under this book; who has not acknowledged the policy may only do that (article 2).

    An account of which the first secrets still open holds no scope in the book: its person may set her own, and no more.
    """
    # Ceremony accounts are usable before that, and doctor is red until it is done (CONTRACT 1).
    acknowledged = member.ceremony or has_acknowledged(book.association, member)
    scopes = frozenset({*_held(book, member), OWN}) if acknowledged else frozenset({OWN})
    return Caller(
        association=association,
        ref=f"staff:{member.id}",
        kind="staff",
        id=member.id,
        key=member.id,
        scopes=scopes,
        law=book.law,
        expires=NEVER if member.valid_to is None else member.valid_to,
        acknowledged=acknowledged,
        ceremony=member.ceremony,
        needs=needs,
        assignees=_assignees(member),
        asker=_asker(INTERNAL, scopes, None, acknowledged=acknowledged, only_assigned=CASEWORKER in member.roles),
    )


def _held(book: Book, member: StaffFact) -> frozenset[str]:
    """The scopes of an account: where the association has a custodian of keys, nobody else proposes what is done with them."""
    held = frozenset(member.scopes)
    if KEYS not in held or CUSTODIAN in member.roles:
        return held
    return held - {KEYS} if any(map(_keeps_keys, book.staff.values())) else held


def _keeps_keys(member: StaffFact) -> bool:
    """Whether this is a custodian of keys for as long as anybody can say: one with an end may leave nobody who keeps them."""
    return member.active and member.valid_to is None and CUSTODIAN in member.roles and KEYS in member.scopes


def person_in(deed: Deed, association: Association, session: SessionFact | None, needs: str = "") -> Caller | None:
    """The person whose session this is, None where the session or the engagement ended by the moment of the deed."""
    if session is None or session.ended_at is not None or session.expires_at <= deed.now:
        return None
    book = association.books.at(deed)
    member = book.staff.get(session.staff)
    if member is None or not is_engaged(member, deed.now):
        return None
    found = person_caller(association, book, member, needs)
    return replace(
        found,
        session=session.id,
        stepped_up_until=session.stepped_up_until,
        expires=min(found.expires, session.expires_at),
    )


def session_hash(cabinet: Cabinet, member: StaffFact, secret: str) -> bytes:
    """The 32-byte hash under which a session's secret is kept: bound to the person's password, so that a new one ends all her sessions."""
    return cabinet.pepper.hash("session", f"{secret}\0{member.password_hash}")


def is_engaged(member: StaffFact, now: int) -> bool:
    """Say whether the person's engagement lasts at this moment; its end is exclusive."""
    return member.active and (member.valid_to is None or now < member.valid_to)


def at_the_screen(book: Book, caller: Caller, staff: str | None, now: int) -> Caller | Entry:
    """The interactive client with this person (hex id) at the screen, or the entry that refuses it.

    Article 2 refuses who is not bound, article 1 a person whose role is none of the screen, such as an administrator's.

    It is good for no longer than her engagement and the client's key, whichever ends first.
    """
    member = book.staff.get(staff) if staff else None
    bound = member is not None and is_engaged(member, now) and has_acknowledged(book.association, member)
    if member is not None and bound and SCREEN in member.scopes:
        end = NEVER if member.valid_to is None else member.valid_to
        asker = replace(caller.asker, only_assigned=CASEWORKER in member.roles)
        expires = min(caller.expires, end)
        return replace(caller, on_behalf=f"staff:{member.id}", expires=expires, assignees=_assignees(member), asker=asker)
    ended = member is not None and not is_engaged(member, now)
    if bound:
        reason, article = "OUT_OF_SCOPE", "1"
    else:
        reason, article = "ENGAGEMENT_ENDED" if ended else "NOT_ACKNOWLEDGED", "2"
    return Entry(
        kind="call.refused",
        outcome="refuse",
        actor=caller.ref,
        on_behalf=f"staff:{staff}" if member else None,
        reason=reason,
        article=f"{book.association.pack}:{article}",
    )


def _assignees(member: StaffFact) -> frozenset[str]:
    return frozenset({f"staff:{member.id}", f"unit:{member.unit}"} if member.unit else {f"staff:{member.id}"})


def _asker(
    party: str, scopes: frozenset[str], purposes: frozenset[str] | None, *, acknowledged: bool = True, only_assigned: bool = False
) -> Asker:
    return Asker(
        party=party,
        purposes=purposes,
        may_ask_orders="orders" in scopes,
        sees_reasons="decisions:reasons" in scopes,
        acknowledged=acknowledged,
        only_assigned=only_assigned,
    )


def _client_again(book: Book, caller: Caller, now: int) -> Caller:
    client = book.clients.get(caller.key)
    if client is None or not client_stands(book, client, now):
        raise Unauthenticated
    found = client_caller(caller.association, book, caller.key, client, caller.needs)
    if client.kind == "batch":
        return found
    staff = (caller.on_behalf or "").removeprefix("staff:")
    seated = at_the_screen(book, found, staff, now)
    if isinstance(seated, Entry):
        raise EntryRefusal(seated)
    return seated


def _person_again(deed: Deed, caller: Caller) -> Caller:
    session = facts.read(deed, SESSION, caller.session) if caller.session else None
    found = person_in(deed, caller.association, session, caller.needs)
    if found is None:
        raise Unauthenticated
    return found
