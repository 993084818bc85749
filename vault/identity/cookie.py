"""The cookie in which a browser keeps a person's session; it counts for pages only, never under /v1 (DESIGN 3, doors to the world)."""

from collections.abc import Mapping
from typing import Final

from vault.identity.sessions import Opened
from vault.web.receiving import COOKIE

_ONLY: Final = "Path=/; {age}; Secure; HttpOnly; SameSite=Strict"
NO_COOKIE: Final[Mapping[str, str]] = {"Set-Cookie": f"{COOKIE}=; {_ONLY.format(age='Max-Age=0')}"}
"""The header that takes it away again."""


def cookie_of(opened: Opened, now: int) -> Mapping[str, str]:
    """Return the header that hands a browser this session, for as long as the session lasts."""
    seconds = (opened.expires_at - now) // 1_000_000
    return {"Set-Cookie": f"{COOKIE}={opened.token}; {_ONLY.format(age=f'Max-Age={seconds}')}"}
