"""Asks the roots: an association is open as long as its root answers now and then, and sealed as long as it does not.

Invariants: nobody waits for a root longer than ten seconds, and one question to a root is out at a time; a root that is silent or says no
seals its own association and no other; what is sealed is answered 503 `sealed` to everybody.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from keys.keyring import AssociationKeys
from vault.errors import Unavailable, VaultError
from vault.rulebook.association import Association

ROOT_SECONDS: Final = 10.0
"""How long a root is waited for."""
GIVE_UP_SECONDS: Final = 600.0
"""After how long a question that was not answered is given up and put anew."""
RETRY_SECONDS: Final = 60.0
"""After how long the root of a sealed association is asked again."""
ASK_SECONDS: Final = 3600.0
"""After how long the root of an open association is asked again."""
LIMIT_SECONDS: Final = 12 * 3600.0
"""How long an association stays open without one answer of its root."""
SEALED: Final = "sealed"

Tick = Callable[[], float]


class Keeper:
    """Asks the root of one association for its keys; a late answer is taken by whoever asks next.

    `answered_at` is when it last did, `failure` the code or kind of error it last failed with, "" where it did not.
    """

    def __init__(self, load: Callable[[], AssociationKeys], *, seconds: float = ROOT_SECONDS, tick: Tick = time.monotonic) -> None:
        """Load the keys by `load`, in a thread of its own; `tick` gives seconds that only go forward."""
        self._load = load
        self._seconds = seconds
        self._tick = tick
        self._turn = threading.Lock()
        self._asked: Future[AssociationKeys | None] | None = None
        self._asked_at = self._ask_again = self.answered_at = tick()
        self.failure = ""

    def begin(self) -> Future[AssociationKeys | None]:
        """Put the question, unless one is out that was not given up."""
        with self._turn:
            if self._asked is None or self._tick() >= self._asked_at + GIVE_UP_SECONDS:
                self._asked, self._asked_at = Future[AssociationKeys | None](), self._tick()
                # Of no pool and a daemon: a thread that a silent root holds for ever holds neither others nor the end of the process.
                threading.Thread(target=self._ask, args=(self._asked,), name="root", daemon=True).start()
            return self._asked

    def keys(self) -> AssociationKeys:
        """The association's keys. Raises Unavailable `sealed` where the root does not answer in time, fails or says no."""
        asked, found = self.begin(), None
        with suppress(TimeoutError):
            found = asked.result(max(0.0, self._asked_at + self._seconds - self._tick()))
        with self._turn:
            if asked.done() and self._asked is asked:
                self._asked = None
        self._ask_again = self._tick() + (RETRY_SECONDS if found is None else ASK_SECONDS)
        if found is None:
            raise Unavailable(SEALED)
        return found

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask again."""
        return self._tick() >= self._ask_again

    @property
    def is_silent(self) -> bool:
        """Whether the root has not answered for so long that its association is to be sealed."""
        return self._tick() >= self.answered_at + LIMIT_SECONDS

    def _ask(self, asked: Future[AssociationKeys | None]) -> None:
        try:
            found = self._load()
        except BaseException as error:  # noqa: BLE001  # a root may be anybody's code: whatever it raises, it did not answer
            # Of what it says, the kind is kept: the words may quote anything.
            self.failure = error.code if isinstance(error, VaultError) else type(error).__name__
            asked.set_result(None)
        else:
            self.answered_at, self.failure = self._tick(), ""
            asked.set_result(found)


class Doors(Mapping[str, Association]):
    """The associations by code as rooms see them: who asks for a sealed one is told so; one there is none of is a KeyError."""

    def __init__(self, associations: Mapping[str, Association], sealed: AbstractSet[str]) -> None:
        """Look at these; both may change."""
        self._associations = associations
        self._sealed = sealed

    def __getitem__(self, code: str) -> Association:
        """The open association of this code. Raises Unavailable `sealed`."""
        if code in self._sealed:
            raise Unavailable(SEALED)
        return self._associations[code]

    def __iter__(self) -> Iterator[str]:
        """The codes of all that are open."""
        return iter(self._associations)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._associations)
