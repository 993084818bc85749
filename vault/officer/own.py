"""A person's own account: the policy acknowledged, secrets of her own, codes for the day she loses her phone, and her sessions.

Invariants: each step is the same deed as over the API and asks for the same secrets; no password and no code stands on a page again; a code
secret stands on it until it is hers, and is kept nowhere before; recovery codes are shown once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import segno
from markupsafe import Markup

from keys.one_time_codes import new_secret
from vault.errors import Conflict, Invalid, Malformed, TooMany, Unauthenticated, VaultError
from vault.identity import own_sessions
from vault.identity.callers import Caller
from vault.identity.cookie import NO_COOKIE
from vault.identity.policy_version import has_acknowledged, policy_sha256
from vault.identity.recovery import Recovery
from vault.identity.scopes import OWN
from vault.identity.staff import NewCredentials
from vault.officer.frame import SIGN_IN, Frame, Speaker, failed, link, looks, require_form, speaker_of
from vault.web.answer import HTML, Answer
from vault.web.call import Call
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.route import KIBIBYTE, Person, Query, Route
from vault.web.times import fold_digits

PATH: Final = "/officer/own"
DONE: Final = ("acknowledged", "ended")
_SECRETS: Final = dict.fromkeys(("password", "new_password"), 4096)
_LINES: Final = dict.fromkeys(("token", "act", "policy", "code", "totp_secret", "totp_code"), 100)
_GROUP: Final = 4


@dataclass(frozen=True, slots=True)
class Session:
    """One open session in words."""

    opened: str
    expires: str
    is_current: bool


def own_pages(frame: Frame) -> list[Route]:
    """The page of this file."""
    pages = _Own(frame, Recovery(frame.identity.factor, frame.identity.sessions))
    done = Query(kind="choice", choices=DONE)
    look = looks(PATH, "officer.own", pages.look, OWN, "Your own account: the policy, your secrets, your sessions.", done=done)
    return [
        look,
        Route(
            method="POST",
            path=PATH,
            name="officer.own-step",
            handler=pages.step,
            access=Person(OWN),
            form=Form(fields={**_LINES, **_SECRETS}),
            max_body=16 * KIBIBYTE,
            media_type=HTML,
            query={"lang": look.query["lang"]},
            sign_in=SIGN_IN,
            summary="Acknowledge the policy, set secrets of your own, make recovery codes, or end your other sessions.",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Own:
    """The handlers."""

    frame: Frame
    recovery: Recovery

    async def look(self, call: Call) -> Answer:
        return await self._shown(call)

    async def step(self, call: Call) -> Answer:
        require_form(call)
        given: dict[str, str] = call.form.fields
        code, caller = fold_digits(given.get("code", "")).strip(), call.caller
        try:
            match given.get("act"):
                case "acknowledge":
                    await self.frame.identity.staff.acknowledge(caller, given.get("policy", ""))
                    return led_to(link(PATH, call.language, done="acknowledged"))
                case "end-others":
                    await own_sessions.end_others(caller)
                    return led_to(link(PATH, call.language, done="ended"))
                case "recovery-codes":
                    return await self._shown(call, codes=await self.recovery.make_codes(caller, given.get("password", ""), code))
                case "credentials":
                    new = NewCredentials(
                        password=given.get("new_password", ""),
                        totp_secret=given.get("totp_secret", ""),
                        totp_code=fold_digits(given.get("totp_code", "")).strip(),
                    )
                    await self.frame.identity.staff.set_credentials(caller, given.get("password", ""), code, new)
                    return led_to(link(SIGN_IN, call.language), NO_COOKIE)
                case _:
                    raise Malformed
        except (Unauthenticated, Invalid, Conflict, TooMany) as error:
            return await self._shown(call, error)

    async def _shown(self, call: Call, error: VaultError | None = None, codes: Sequence[str] = ()) -> Answer:
        caller: Caller = call.caller
        # Who is signed in no more is led to sign in, whatever went wrong before.
        opened = await own_sessions.listed(caller)
        book = await caller.association.refresh()
        own, speaker = book.association, speaker_of(call, book)
        wrong = _wrong(error)
        # Kept while what was typed beside it is mended, for it is in her phone by now; a text that is no secret, or not hers, is not.
        kept = call.form.fields.get("totp_secret") if not any("totp_secret" in each for each in wrong) else None
        secret = kept or new_secret()
        return await self.frame.page(
            "own.html",
            call,
            **failed(call, error),
            wrong=wrong,
            policy=policy_sha256(own),
            privacy=f"/{own.code}/privacy?lang={call.language}",
            acknowledged=has_acknowledged(own, book.staff[caller.id]),
            is_first=not book.staff[caller.id].scopes or caller.ceremony,
            sessions=[_session(each, speaker) for each in opened],
            secret=" ".join(secret[at : at + _GROUP] for at in range(0, len(secret), _GROUP)),
            secret_whole=secret,
            drawn=_drawn(secret, own.code),
            codes=codes,
            done=call.query.get("done"),
        )


def _wrong(error: VaultError | None) -> list[str]:
    """The names of the sentences that say what is wrong with what was typed."""
    if isinstance(error, Unauthenticated):
        return ["own_wrong_secrets"]
    if not isinstance(error, Invalid):
        return []
    return [f"own_wrong_{each.field}_{each.code}".replace("-", "_") for each in error.errors]


def _drawn(secret: str, association: str) -> Any:  # noqa: ANN401 - markup
    """The code secret as an authenticator app reads it off the screen; nothing where somebody sent a text that can be none."""
    if not (secret.isascii() and secret.isalnum()):
        return ""
    address = f"otpauth://totp/{quote(association)}?secret={secret}&issuer=Amanah"
    return Markup(segno.make(address, error="m").svg_inline(scale=4, border=2))  # noqa: S704 - drawn by us of letters and digits


def _session(one: own_sessions.Open, speaker: Speaker) -> Session:
    return Session(speaker.time(one.opened_at), speaker.time(one.expires_at), one.is_current)
