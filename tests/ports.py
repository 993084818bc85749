"""Ports of the loopback interface for servers of tests: no two test processes of this machine are ever given the same one.

Invariant: a process has a block of ports to itself, held by listening on the block's first one as long as it lives; it goes round it, so
that a port comes again only after all the others. All lie below those the system gives to who asks for any (ip(7), 32768 on), so no call
sits on one before its server does.
"""

import atexit
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle

FIRST, LAST, BLOCK = 15_000, 31_999, 200
_TURN = threading.Lock()


def free_port() -> int:
    """A port nobody listens on, which is given to nobody else meanwhile."""
    with _TURN:
        return next(_ours())


@cache
def _ours() -> Iterator[int]:
    """The free ports of a block of our own, round and round. Raises RuntimeError where all blocks are taken."""
    for first in range(FIRST, LAST + 1 - BLOCK, BLOCK):
        claim = socket.socket()
        try:
            claim.bind(("127.0.0.1", first))
            claim.listen()
        except OSError:
            claim.close()  # somebody else's block
        else:
            atexit.register(claim.close)
            return _round(range(first + 1, first + BLOCK))
    raise RuntimeError("no block of ports is free")


def _round(block: range) -> Iterator[int]:
    return (port for port in cycle(block) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False
