"""Knows a website's visitor again by the random id her browser keeps, which is kept nowhere here.

Invariants: the person's id is the keyed hash of that id, so there is no row that could name another; who was erased is not known again: the
same browser begins anew, as somebody else. Whose sheet is away and who was not erased is no new visitor: her word is not taken.
"""

import re
from typing import Final

from vault.access_log.deed import Deed
from vault.errors import NotFound, Unavailable
from vault.subjects import people
from vault.subjects.people import Known

KIND: Final = "visitor"
HANDLE: Final = re.compile(r"[A-Za-z0-9_-]{22}")
MOST_LIVES: Final = 100
"""How often one browser's person may have been erased before it is told to make another id."""


def subject_of(deed: Deed, handle: str, life: int) -> bytes:
    """The person's id of the visitor with this browser's id (22 characters base64url), who was erased so many times before."""
    return deed.cabinet.pepper.hash("visitor", f"{handle} {life}")[:16]


def known(deed: Deed, handle: str) -> Known | bytes:
    """The visitor as she is known, or the id under which she begins. Raises Unavailable `integrity`."""
    for life in range(MOST_LIVES):
        subject = subject_of(deed, handle, life)
        try:
            return people.of_subject(deed, subject)
        except NotFound:
            if not people.is_erased(deed.transaction.connection, deed.association, subject):
                return subject
    raise Unavailable("integrity")
