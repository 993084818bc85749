"""What the identity calls take and give, as CONTRACT 3 shapes it; times RFC 3339, ids UUID text."""

from typing import Annotated, Literal

import msgspec

from vault.web import Body

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Time = Annotated[str, msgspec.Meta(min_length=20, max_length=40)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
CodeOrRecovery = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Username = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Unit = Annotated[str, msgspec.Meta(pattern=r"^(|[a-z][a-z0-9-]{1,31})\Z")]
Words = Annotated[tuple[Word, ...], msgspec.Meta(max_length=100)]


class SignIn(Body):
    """A person signs in."""

    username: Username
    password: Secret
    code: CodeOrRecovery


class Session(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new session; the token is told once. `recovery_codes_left` where a recovery code opened it."""

    token: str
    expires_at: str
    recovery_codes_left: int | None = None


class StepUp(Body):
    """A one-time code that opens five minutes for approvals."""

    code: Code


class SteppedUp(msgspec.Struct, frozen=True):
    """Until when the session approves."""

    approves_until: str


class Approve(Body):
    """An approval; with a code of its own, or in a session stepped up by one."""

    code: Code | None = None


class NewClient(Body):
    """A client to be made; without an end it ends after a year, without record types it is for all there are."""

    name: Name
    party: Word
    kind: Literal["interactive", "batch"]
    scopes: Words
    purposes: Words
    expires_at: Time | None = None
    networks: Words = ()
    record_types: Words | None = None


class ClientChange(Body):
    """What of a client is to be otherwise; what is left out stays. Networks that are none mean everywhere."""

    scopes: Words | None = None
    purposes: Words | None = None
    record_types: Words | None = None
    networks: Words | None = None
    expires_at: Time | None = None


class ApproveClient(Body):
    """An approval; of a change by the id its proposal has in the list."""

    code: Code | None = None
    proposal: Word | None = None


class NewKey(Body):
    """A new key for a client; without a time the old one ends when the new one is approved."""

    old_valid_until: Time | None = None


class NewStaff(Body):
    """An account to be made."""

    username: Username
    engagement: Literal["employee", "consultant", "volunteer", "board"]
    roles: Words
    valid_to: Time | None = None
    unit: Unit = ""
    record: Word | None = None


class Acknowledge(Body):
    """The policy that is acknowledged, by the hash that GET /v1/acknowledgements tells."""

    policy_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Credentials(Body):
    """A person's own new password and code secret, with a code that shows the secret is in her app."""

    password: Secret
    code: CodeOrRecovery
    new_password: Secret
    totp_secret: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    totp_code: Code


class Stands(msgspec.Struct, frozen=True):
    """How something stands after a deed."""

    id: str
    state: str


class ClientMade(msgspec.Struct, frozen=True, omit_defaults=True):
    """A proposed client or key; the key is told once, a repeated request is told `already`."""

    id: str
    state: str
    key: str | None = None
    already: bool = False


class StaffMade(msgspec.Struct, frozen=True, omit_defaults=True):
    """A proposed account; the beginning of its first password is told once, a repeated request is told `already`."""

    id: str
    state: str
    password_start: str | None = None
    already: bool = False


class StaffApproved(msgspec.Struct, frozen=True):
    """An approved account; the end of its first password and its code secret are told once, to who approved it."""

    id: str
    state: str
    password_end: str
    totp_secret: str


class ClientWaits(msgspec.Struct, frozen=True):
    """A change of a client that waits for another person: what it is to be, in full."""

    id: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    record_types: tuple[str, ...] | None
    networks: tuple[str, ...]
    expires_at: str | None
    proposed_by: str


class ClientItem(msgspec.Struct, frozen=True):
    """One client in the list; no secret. `record_types` null for all there are; `last_used` the time of its newest entry in the log."""

    id: str
    name: str
    party: str
    kind: str
    scopes: tuple[str, ...]
    purposes: tuple[str, ...]
    networks: tuple[str, ...]
    expires_at: str | None
    state: str
    ceremony: bool
    record_types: tuple[str, ...] | None = None
    last_used: str | None = None
    waits: ClientWaits | None = None


class ClientList(msgspec.Struct, frozen=True):
    """A page of clients."""

    items: list[ClientItem]
    next: str | None


class StaffItem(msgspec.Struct, frozen=True):
    """One account in the list; no name."""

    id: str
    engagement: str
    unit: str | None
    record: str | None
    roles: tuple[str, ...]
    active: bool
    state: str
    valid_to: str | None
    acknowledged: bool
    ceremony: bool


class StaffList(msgspec.Struct, frozen=True):
    """A page of accounts."""

    items: list[StaffItem]
    next: str | None


class Policy(msgspec.Struct, frozen=True):
    """The policy in force, and whether the caller has acknowledged it."""

    pack: str
    law_pack: str
    policy_sha256: str
    acknowledged: bool


class Acknowledged(msgspec.Struct, frozen=True):
    """Who has acknowledged which policy."""

    staff: str
    policy_sha256: str
