"""Signing in and out with a browser: user name, password and one-time code, the session in a cookie, and what is wrong told on the page."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from vault.breach_reports.exclusion import SETTLES
from vault.breach_reports.reports import Reports
from vault.errors import TooMany, Unauthenticated, Unavailable, VaultError
from vault.identity.api import SIGNING_IN
from vault.identity.cookie import NO_COOKIE, cookie_of
from vault.identity.scopes import OWN
from vault.officer.frame import LANG, PAGES, SIGN_IN, Frame, link, looks, require_form, require_ours, sends
from vault.officer.settling import since, waiting
from vault.web.answer import HTML, Answer
from vault.web.call import Call
from vault.web.door import led_to
from vault.web.form import Form
from vault.web.problems import problem_headers, problem_of, status_of
from vault.web.receiving import session_cookie
from vault.web.route import KIBIBYTE, Public, Route

_FORM: Final = Form(fields={"username": 300, "password": 4096, "code": 40})


def signing_routes(frame: Frame, reports: Reports) -> list[Route]:
    """The pages of this file."""
    pages = _Signing(frame, reports)
    return [
        Route(
            method="GET",
            path=SIGN_IN,
            name="officer.sign-in",
            handler=pages.ask,
            access=Public(),
            media_type=HTML,
            query={"lang": LANG},
            summary="The page on which people of the association sign in.",
        ),
        Route(
            method="POST",
            path=SIGN_IN,
            name="officer.signed-in",
            handler=pages.sign_in,
            access=Public(),
            form=_FORM,
            max_body=8 * KIBIBYTE,
            media_type=HTML,
            query={"lang": LANG},
            limit=SIGNING_IN,
            summary="Sign in from the page; the session is in a cookie that counts for pages only.",
        ),
        sends("/officer/sign-out", "officer.sign-out", pages.sign_out, OWN, "End this session from a page."),
        looks("/officer", "officer.home", pages.home, OWN, "The first page of whoever is signed in: whom to look up, where to go."),
    ]


@dataclass(frozen=True, slots=True)
class _Signing:
    """The handlers."""

    frame: Frame
    reports: Reports

    async def ask(self, call: Call) -> Answer:
        return _asked(call)

    async def sign_in(self, call: Call) -> Answer:
        require_ours(call)
        given = call.form.fields
        try:
            opened = await self.frame.identity.sessions.sign_in(
                given.get("username", "").strip(), given.get("password", ""), given.get("code", "").strip(), network=call.neighbourhood
            )
        except (Unauthenticated, TooMany, Unavailable) as error:
            return _asked(call, error)
        await self._leave(call)
        return led_to(link("/officer", call.language), cookie_of(opened, call.now))

    async def _leave(self, call: Call) -> None:
        """End the session this browser was in: its cookie is replaced, so that no page could end it any more."""
        # One that is no session, has ended by itself or cannot be asked about now keeps nobody from the new one.
        with suppress(Unauthenticated, TooMany, Unavailable):
            before = await self.frame.identity.entrance.authenticate(session_cookie(call.headers), call)
            if before is not None:
                await self.frame.identity.sessions.sign_out(before)

    async def sign_out(self, call: Call) -> Answer:
        require_form(call)
        await self.frame.identity.sessions.sign_out(call.caller)
        return led_to(link(SIGN_IN, call.language), NO_COOKIE)

    async def home(self, call: Call) -> Answer:
        """The first page: what waits for her to settle stands there, since no alert of the log reaches her."""
        waits, unknown = None, False
        if SETTLES in call.caller.scopes:
            try:
                waits = since(await waiting(call, self.reports), call)
            except Unavailable:
                # The page on which she signs out stands all the same, and says that it does not know.
                unknown = True
        return await self.frame.page("home.html", call, waits=waits, unknown=unknown)


def _asked(call: Call, error: VaultError | None = None) -> Answer:
    """The form; the user name stands in it again, the password and the code do not."""
    return PAGES.answer(
        "sign_in.html",
        call.language,
        status=None if error is None else status_of(error),
        headers={} if error is None else problem_headers(error),
        username=call.form.fields.get("username", ""),
        problem=None if error is None else problem_of(error, call.request_id, call.language),
        unknown=isinstance(error, Unauthenticated),
    )
