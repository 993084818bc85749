"""HTTP in and out for recipients: registering a party outside the house, confirming its key, revoking it."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from vault.errors import NotFound
from vault.identity.bodies import Code
from vault.identity.recipients import Compared, Recipients, Wanted, key_of
from vault.rulebook.shapes import RecipientFact
from vault.web import Answer, Body, Call, Person, Route

_CODE: Final = re.compile(r"[a-z][a-z0-9_-]{1,62}")
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Named(Body):
    """A party's name in both languages."""

    ar: Text
    en: Text


class KeyGiven(Body):
    """A public key: 32 bytes in base64 for `hpke-x25519`, `age1…` for `age`."""

    type: Literal["hpke-x25519", "age"]
    public: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class RecipientBody(Body):
    """A party outside the house as somebody lays it down; the country by its two letters (ISO 3166)."""

    name: Named
    kind: Literal["partner", "authority", "processor"]
    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")]
    key: KeyGiven | None = None
    webhook: Annotated[str, msgspec.Meta(max_length=500)] = ""


class ConfirmationBody(Body):
    """A confirmation; with a code of its own or in a session stepped up by one, and the fingerprint and webhook that were compared.

    These may be left out only where the recipient was never changed since it was registered.
    """

    code: Code | None = None
    fingerprint: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    webhook: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class KeyShown(msgspec.Struct, frozen=True):
    """A recipient's key by its fingerprint, to be compared over another channel before it is confirmed."""

    type: str
    fingerprint: str
    state: str


class RecipientStands(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a recipient and its key stand after a deed."""

    code: str
    state: str
    key: KeyShown | None = None


class RecipientShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recipient in the list."""

    code: str
    name: dict[str, str]
    kind: str
    country: str
    state: str
    key: KeyShown | None = None
    webhook: str = ""


class RecipientsAnswer(msgspec.Struct, frozen=True):
    """Every recipient, and the key that signs what the association gives them, for them to keep."""

    items: list[RecipientShown]
    signed_by: str


def recipient_routes(recipients: Recipients) -> list[Route]:
    """Return the calls about recipients."""
    api = _Api(recipients)
    return [
        Route(
            method="PUT",
            path="/v1/recipients/{code}",
            name="recipients.register",
            handler=api.register,
            access=Person("recipients:write"),
            body=RecipientBody,
            answer=RecipientStands,
            summary="Register a party outside the house, or change it; its key counts once another person confirmed it.",
        ),
        Route(
            method="GET",
            path="/v1/recipients",
            name="recipients.list",
            handler=api.listed,
            access=Person("recipients:read"),
            answer=RecipientsAnswer,
            summary="List the parties outside the house with the fingerprints of their keys.",
        ),
        Route(
            method="POST",
            path="/v1/recipients/{code}/key-confirmation",
            name="recipients.confirm",
            handler=api.confirm,
            access=Person("approve"),
            body=ConfirmationBody,
            optional_body=True,
            answer=RecipientStands,
            summary="Confirm that a recipient's key is its own, having compared the fingerprint.",
        ),
        Route(
            method="POST",
            path="/v1/recipients/{code}/revocation",
            name="recipients.revoke",
            handler=api.revoke,
            access=Person("recipients:write"),
            answer=RecipientStands,
            summary="Revoke a recipient: nothing goes to it from this answer on.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Api:
    """The handlers: call the service, shape the answer, return."""

    recipients: Recipients

    async def register(self, call: Call) -> Answer:
        found, new = await self.recipients.register(call.caller, _wanted(_code(call), call.body))
        return Answer(_stands(found), status=201 if new else 200)

    async def listed(self, call: Call) -> Answer:
        found = await self.recipients.listed(call.caller)
        return Answer(RecipientsAnswer([_shown(each) for each in found], call.caller.association.cabinet.signer.vkey))

    async def confirm(self, call: Call) -> Answer:
        body: ConfirmationBody = call.body
        return Answer(_stands(await self.recipients.confirm(call.caller, _code(call), Compared(body.fingerprint, body.webhook), body.code)))

    async def revoke(self, call: Call) -> Answer:
        return Answer(_stands(await self.recipients.revoke(call.caller, _code(call))))


def _code(call: Call) -> str:
    """The code in the path. Raises NotFound for a text that can be none."""
    code = call.path["code"]
    if _CODE.fullmatch(code) is None:
        raise NotFound
    return code


def _wanted(code: str, body: RecipientBody) -> Wanted:
    key = (body.key.type, body.key.public) if body.key else ("", "")
    name = {"ar": body.name.ar, "en": body.name.en}
    return Wanted(code=code, name=name, kind=body.kind, country=body.country, key_type=key[0], key_public=key[1], webhook=body.webhook)


def _stands(recipient: RecipientFact) -> RecipientStands:
    state = "registered" if recipient.revoked_at is None else "revoked"
    if not recipient.key_public:
        return RecipientStands(recipient.code, state)
    key = KeyShown(recipient.key_type, key_of(recipient), "confirmed" if recipient.confirmed_by else "unconfirmed")
    return RecipientStands(recipient.code, state, key)


def _shown(recipient: RecipientFact) -> RecipientShown:
    stands = _stands(recipient)
    return RecipientShown(stands.code, recipient.name, recipient.kind, recipient.country, stands.state, stands.key, recipient.webhook)
