"""Who asks what, and what is known: the frozen facts a verdict rests on, and nothing else.

Times are integer microseconds UTC. Every type here is plain data that msgspec can read from JSON, so that the sheet of a person
is decoded straight into it. Unknown means no: an empty set covers nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Action = Literal["use", "contact", "publish", "disclose"]
Form = Literal["written", "electronic", "verbal", "implied"]
Basis = Literal["written_consent", "electronic_consent", "judicial_order", "regulatory_order", "agreement", "law", "none"]
Proof = Literal["asserted", "vault"]
Channel = Literal["", "sms", "whatsapp", "call", "email", "post", "website", "social", "print", "press", "broadcast"]
StopKind = Literal["withdraw", "refuse", "invalidate"]
GuardianKind = Literal["wali", "wasi", "carer", "agent", "custodian"]

INTERNAL: Final = "INTERNAL"
SELF: Final = "self"
# The day of full capacity of a minor whose day is not known: it does not come until somebody records one.
NEVER: Final = 2**63 - 1


def key(purpose: str, recipient: str) -> str:
    """The name under which a person's standing for this purpose and this recipient lies in `Person.standings`."""
    return f"{purpose}|{recipient}"


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose as the pack and the association laid it down.

    `forms` are the forms of consent of which one is enough; `basis` is `consent`, `order` (article 4) or `law` (duties of the association).
    `proof` says whose word makes an electronic consent complete: that of a system, or only an answer to the vault's own challenge.
    `classes`, where not None, narrows the purpose to fields of these classes. `channel` is the one means of contact of a purpose of
    contact, none reaching nobody, and the one channel of a purpose of publication, none standing for all. For purposes of basis `law`:
    `despite` names the states (`deceased`, `restricted`) that do not end the duty, `within_hours` how long after storing it lasts, for who
    stored the record only.
    """

    code: str
    action: Action
    forms: frozenset[Form] = frozenset()
    basis: Literal["consent", "order", "law"] = "consent"
    internal_only: bool = False
    double_opt_in: bool = False
    honours_gpc: bool = False
    article: str = "1"
    law: str = ""
    classes: frozenset[str] | None = None
    despite: frozenset[str] = frozenset()
    within_hours: int | None = None
    proof: Proof = "asserted"
    channel: Channel = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """One consent given: usable from `usable_from` (the later of recorded and verified) until `expires_at`, end exclusive.

    `capable` is settled when it is recorded: False where she gave it herself and lacked capacity by what was known of her then.
    """

    id: str
    form: Form
    fields: frozenset[str]
    notice: str
    by: str
    indicated_at: int
    recorded_at: int
    usable_from: int
    expires_at: int | None = None
    explicit: bool = False
    complete: bool = True
    verified: bool = True
    confirmed: bool = True
    imported: bool = False
    capable: bool = True


@dataclass(frozen=True, slots=True)
class Stop:
    """What ended consent for a purpose and recipient: it bites from `recorded_at`, whatever date is on it."""

    kind: StopKind
    indicated_at: int
    recorded_at: int


@dataclass(frozen=True, slots=True)
class Word:
    """The last word of one guardian on a purpose and recipient: two guardians of one ward may disagree."""

    by: str
    kind: Literal["grant", "refuse", "withdraw"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left after folding the events of one purpose and one recipient.

    `grants` are those later than every stop in both orders (recorded and signed); `newest_stop` is None where nothing ever stopped;
    `latest_stopped` is the latest indicated_at of any stop, for the second order; `stale` tells that a grant came too early signed.
    `granted` tells that consent was ever given here, `words` hold each guardian's last word. `twins` are the standings a merged
    duplicate brought for the same purpose and recipient: each of them must say yes too.
    """

    grants: tuple[Grant, ...] = ()
    newest_stop: Stop | None = None
    latest_stopped: int | None = None
    stale: bool = False
    granted: bool = False
    words: tuple[Word, ...] = ()
    twins: tuple["Standing", ...] = ()


@dataclass(frozen=True, slots=True)
class Guardian:
    """Who may act for a person who lacks full capacity (Personal Status Law 136 to 139)."""

    id: str
    kind: GuardianKind
    verified: bool = False
    valid_from: int = 0
    valid_to: int | None = None
    removed_for_cause_at: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """All a decision needs to know about one person; `standings` is keyed by `key(purpose, recipient)`.

    `full_capacity_from` is None for who is of full capacity, `NEVER` for a minor whose day is unknown. `opted_out_at` is the newest
    opt-out signal of a visitor's browser, `signal_ended_at` when it was last seen gone: no older grant wakes up by that.
    `stored_at` is when the person's first record was stored, where the rule on intake needs it.
    """

    standings: Mapping[str, Standing] = field(default_factory=dict)
    guardians: tuple[Guardian, ...] = ()
    full_capacity_from: int | None = None
    interdicted: bool = False
    deceased_at: int | None = None
    restricted: bool = False
    locked: bool = False
    opted_out_at: int | None = None
    signal_ended_at: int | None = None
    stored_at: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a judicial or regulatory authority (article 4), for one recipient and exactly these fields."""

    id: str
    kind: Literal["judicial", "regulatory"]
    recipient: str
    fields: frozenset[str]
    valid_from: int
    valid_to: int
    verified: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """A data sharing agreement with a party outside, approved by two people: for these purposes and classes, its end exclusive."""

    id: str
    purposes: frozenset[str]
    classes: frozenset[str]
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class Supersession:
    """A newer notice version, `by`, replaces `notice`; material changes end its grants at `reconsent_by`, or at once where that is None."""

    notice: str
    material: bool
    reconsent_by: int | None
    published_at: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller may ask about at all: the party decides, never the query.

    `types` are the record types it may ask about, None for all. `engaged` is False after the end of a member of staff's engagement;
    `is_storer` is True for who stored this person's record. `only_assigned` holds for a caseworker, who reads the people assigned to her or
    her unit; `assigned_until` is when this person's assignment to her ends, end exclusive, 0 where there is none. `processes` holds for the
    system of a processor, which asks in the association's name for what its agreement covers and is a third party for all else.
    """

    party: str = INTERNAL
    processes: bool = False
    purposes: frozenset[str] | None = None
    types: frozenset[str] | None = None
    may_ask_orders: bool = False
    sees_reasons: bool = False
    acknowledged: bool = True
    engaged: bool = True
    is_storer: bool = False
    only_assigned: bool = False
    assigned_until: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """One question: whether this may be done, with these fields, for this purpose and this recipient, at this moment.

    `channel` is by which means somebody is to be contacted, or where something is to be published; empty for the values alone.
    """

    action: Action | str
    purpose: str
    recipient: str
    fields: frozenset[str]
    at: int
    channel: Channel = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The association-wide facts of one moment: purposes, recipients (`abroad` those outside the Kingdom), classes, superseded notices.

    `type` is the record type they are for. `unconfirmed` after a restore without a complete journal, until two people have confirmed it.
    `agreements` are those approved and not revoked that reach records of this type, by recipient.
    """

    purposes: Mapping[str, Purpose]
    recipients: frozenset[str]
    field_classes: Mapping[str, str]
    superseded: Mapping[str, tuple[Supersession, ...]] = field(default_factory=dict)
    sensitive_classes: frozenset[str] = frozenset({"health", "sensitive"})
    type: str = ""
    pack: str = "cooperative"
    law_pack: str = "sa-pdpl"
    abroad: frozenset[str] = frozenset()
    unconfirmed: bool = False
    agreements: Mapping[str, tuple[Agreement, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, yes or no, with the article it rests on; `fields` are those of the question that are covered.

    `agreement` is the one under which the system of a party outside asked, on a permit to it.
    """

    allowed: bool
    reason: str
    article: str
    law: str
    basis: Basis
    fields: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    valid_until: int | None = None
    grants: tuple[str, ...] = ()
    order: str | None = None
    agreement: str | None = None
