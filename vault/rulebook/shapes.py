"""The shapes of the association-wide facts: what a purpose, record type, notice, recipient, client and member of staff is on the page.

Field names are those of the bytes kept for years: a new member gets a default, none changes its meaning. Times in microseconds UTC; ids in
hexadecimal.
"""

from typing import Literal

import msgspec

from vault.rulebook.facts import Kind


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The base of every fact: immutable, and what is unknown in it does not open."""


class AssociationFact(Fact, frozen=True):
    """The association: its code, packs, the day it was founded here, and SHA-256 (hexadecimal) of the policy it published last.

    `pack_number` counts the versions of its pack, `pack_sha256` is over the words of the one in force; empty before there were versions.
    """

    code: str
    pack: str
    law_pack: str
    founded_at: int
    published_policy: str = ""
    pack_number: int = 0
    pack_version: str = ""
    pack_sha256: str = ""


class PurposeFact(Fact, frozen=True):
    """A purpose as laid down: the pack's, narrowed where the association narrowed it."""

    code: str
    action: str
    forms: tuple[str, ...] = ()
    basis: str = "consent"
    internal_only: bool = False
    double_opt_in: bool = False
    honours_gpc: bool = False
    article: str = "1"
    law: str = ""
    classes: tuple[str, ...] | None = None
    despite: tuple[str, ...] = ()
    within_hours: int | None = None
    proof: str = "asserted"
    channel: str = ""
    title: dict[str, str] = {}
    from_pack: bool = True


class FieldFact(Fact, frozen=True):
    """One field of a record type; `number` and `class_id` name it and its class inside containers and never change."""

    name: str
    number: int
    kind: str
    field_class: str
    class_id: int
    searchable: bool = False
    required: bool = False
    labels: dict[str, str] = {}
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None


class PredicateFact(Fact, frozen=True):
    """A question about one field with its fixed constant: one of `younger_than` (Hijri years), `below`, `one_of`, `begins_with`."""

    name: str
    field: str
    younger_than: int | None = None
    below: int | None = None
    one_of: tuple[str, ...] = ()
    begins_with: str = ""
    labels: dict[str, str] = {}


class RecordTypeFact(Fact, frozen=True):
    """A record type: its fields, groups of which one at least must be filled, and what may be asked in the place of a value."""

    name: str
    schema: int
    fields: tuple[FieldFact, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    predicates: tuple[PredicateFact, ...] = ()


class NoticeFact(Fact, frozen=True):
    """One version of a notice: texts by language with their SHA-256, what it covers, who approved it and when.

    `parts` are the regulation's eleven in Arabic, `parts_en` those said in English too; `approved_on` is the day as it was written,
    `approved_day` the Gregorian one. `drafted_by` and `published_by` are two people. `ends_at` is set where a restore lost the version
    that came after it: what was agreed to under this one ends then.
    """

    id: str
    version: int
    purpose: str
    state: Literal["draft", "published"]
    texts: dict[str, str]
    sha256: dict[str, str]
    fields: tuple[str, ...]
    recipients: tuple[str, ...] | None = None
    parts: dict[str, str] = {}
    approved_by: str = ""
    approved_on: str = ""
    provisional: bool = False
    published_at: int | None = None
    material: bool = False
    reconsent_by: int | None = None
    parts_en: dict[str, str] = {}
    approved_day: str = ""
    drafted_by: str = ""
    drafted_at: int = 0
    published_by: str = ""
    ends_at: int | None = None


class RecipientFact(Fact, frozen=True):
    """A registered party outside the house, with the public key its packages are sealed to.

    `webhook` is the https address its system is told of recalls at, empty where it has none.
    `hands` are those who changed any of it since a second person last confirmed it; no package is sealed while `confirmed_by` is empty.
    """

    code: str
    name: dict[str, str]
    kind: Literal["partner", "authority", "processor"]
    country: str
    key_type: str = ""
    key_public: str = ""
    registered_by: str = ""
    confirmed_by: str = ""
    confirmed_at: int | None = None
    hands: tuple[str, ...] = ()
    revoked_at: int | None = None
    webhook: str = ""


PROCESSOR = "processor"
"""The kind of a party that handles data in the association's name (law 8, regulation 17)."""


class ProcessingTerms(Fact, frozen=True):
    """What regulation 17(1) asks of an agreement with a processor besides purpose, data and term, which every agreement has.

    That it tells of a breach without undue delay, that it tells of what the Kingdom's law makes it disclose, which other country's law
    it is under ("" for none), and to whom it hands work on.
    """

    breach_notice: bool
    mandatory_disclosure: bool
    foreign_law: str
    subprocessors: tuple[str, ...]


class AgreementFact(Fact, frozen=True):
    """An agreement with a party outside: what it covers and from when until when (exclusive) in Riyadh's days.

    `reference` is what the paper is called, `reason` why it was made; both stand here, sealed, and never in the log. With a processor it
    has `processing` and names purposes of the association's own, with anybody else purposes of disclosure.
    """

    id: str
    recipient: str
    purposes: tuple[str, ...]
    types: tuple[str, ...]
    classes: tuple[str, ...]
    valid_from: int
    valid_to: int
    reference: str
    reason: str
    registered_by: str
    registered_at: int
    approved_by: str = ""
    approved_at: int | None = None
    revoked_by: str = ""
    revoked_at: int | None = None
    processing: ProcessingTerms | None = None

    @property
    def counts(self) -> bool:
        """Whether two people made it and nobody revoked it."""
        return bool(self.approved_by) and self.revoked_at is None


class ClientFact(Fact, frozen=True):
    """An API client: whose it is, what it may, and the keyed hash of its secret; `types` None for every record type there is."""

    id: str
    name: str
    party: str
    kind: Literal["interactive", "batch"]
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    secret_hash: str
    networks: tuple[str, ...] = ()
    expires_at: int | None = None
    revoked_at: int | None = None
    ceremony: bool = False
    made_by: str = ""
    types: tuple[str, ...] | None = None
    changed_at: int = 0


class StaffFact(Fact, frozen=True):
    """A member of staff: roles, scopes, password hash, one-time-code secret; names lie in records, the user name is a keyed hash.

    `unit` is the code of the unit she works in, empty where she is of none; `reset_at` when two others last gave her other first secrets;
    `record` is the id (hex) of the record in which her name and contacts lie sealed, empty where none was named.
    """

    id: str
    name_hash: str
    engagement: Literal["employee", "consultant", "volunteer", "board"]
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    password_hash: str
    totp_secret: str
    active: bool = True
    valid_to: int | None = None
    acknowledged: str = ""
    ceremony: bool = False
    made_by: str = ""
    unit: str = ""
    reset_at: int = 0
    record: str = ""


class StepFact(Fact, frozen=True):
    """The last 30-second step whose one-time code a member of staff has used."""

    step: int


class SessionFact(Fact, frozen=True):
    """A person's session: keyed hash of its token, until when, and until when it may approve."""

    id: str
    staff: str
    secret_hash: str
    expires_at: int
    stepped_up_until: int = 0
    ended_at: int | None = None


class RestorationFact(Fact, frozen=True):
    """That the database was put back from a copy: in which epoch its log goes on since, and who confirmed where the journal was not whole.

    `backup` is SHA-256 (hexadecimal) of the copy's manifest, `copied` its log size; `confirmed_by` are the people who confirmed, in order.
    """

    epoch: int
    restored_at: int
    backup: str
    copied: int
    complete: bool
    confirmed_by: tuple[str, ...] = ()

    @property
    def is_unconfirmed(self) -> bool:
        """Whether nothing may leave yet: the journal was not whole, and two people have not confirmed."""
        return not self.complete and len(self.confirmed_by) < CONFIRMATIONS


CONFIRMATIONS = 2
RESTORATION_KEY = "newest"
HOME = "SA"
"""The country nothing leaves without a rule for it (law 29)."""


class SigningKeyFact(Fact, frozen=True):
    """A key that signs the log after the first: its place in the succession from 2, its verifier key, the first size of the log it is in
    force for, when it was made, and the note in which the key before names it.
    """  # noqa: D205  # one sentence

    generation: int
    vkey: str
    first_size: int
    rotated_at: int
    succession: str


ASSOCIATION: Kind[AssociationFact] = Kind("association", AssociationFact)
PURPOSE: Kind[PurposeFact] = Kind("purpose", PurposeFact)
RECORD_TYPE: Kind[RecordTypeFact] = Kind("record_type", RecordTypeFact)
NOTICE: Kind[NoticeFact] = Kind("notice", NoticeFact)
RECIPIENT: Kind[RecipientFact] = Kind("recipient", RecipientFact)
AGREEMENT: Kind[AgreementFact] = Kind("agreement", AgreementFact)
CLIENT: Kind[ClientFact] = Kind("client", ClientFact)
STAFF: Kind[StaffFact] = Kind("staff", StaffFact)
STEP: Kind[StepFact] = Kind("one_time_step", StepFact, in_book=False)
SESSION: Kind[SessionFact] = Kind("session", SessionFact, in_book=False)
SIGNING_KEY: Kind[SigningKeyFact] = Kind("signing_key", SigningKeyFact, in_book=False)
RESTORATION: Kind[RestorationFact] = Kind("restoration", RestorationFact)
IN_BOOK = (ASSOCIATION, PURPOSE, RECORD_TYPE, NOTICE, RECIPIENT, AGREEMENT, CLIENT, STAFF, RESTORATION)
