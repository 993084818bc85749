"""Named token buckets, so that no caller takes more than its share and one limit never spends another's.

Invariants: memory is bounded per bucket name; a key that was idle long enough to be full again is forgotten first.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from vault.errors import TooMany

MAX_KEYS = 20_000
MICROSECONDS = 1_000_000
_ALONE = {4: 24, 6: 64}
_SITE = 48
SITES_WORTH = 8
"""How many networks' worth a site of IPv6 has, that may number 65,536 of them (RFC 6177)."""


def neighbourhood(address: str) -> str:
    """Return the network that an address is counted with, its /24 or /64: whoever has one of IPv6 has all of them; "" for no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ip_network((found, _ALONE[found.version]), strict=False))


def circles(address: str) -> tuple[tuple[str, int], ...]:
    """Return what an address is counted with where it costs the sender next to nothing: its network, and of IPv6 the site (/48) besides.

    With each how many times a network's share it has.
    """
    near = neighbourhood(address)
    if ":" not in near:
        return ((near, 1),)
    site = str(ip_network((ip_network(near).network_address, _SITE), strict=False))
    return ((near, 1), (site, SITES_WORTH))


class Limits:
    """Token buckets by name and key. `clock` gives UTC microseconds and is asked once for each `take`."""

    __slots__ = ("_buckets", "_clock", "_max_keys")

    def __init__(self, clock: Callable[[], int], *, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._buckets: dict[str, OrderedDict[str, tuple[float, int]]] = {}

    def now(self) -> int:
        """Tell the time these limits count by: microseconds UTC."""
        return self._clock()

    def take(self, bucket: str, key: str, burst: int, per_second: float) -> None:
        """Take one token of `key` in the named bucket, which holds `burst` and gains `per_second`. Raises TooMany when it is empty."""
        now = self._clock()
        keys = self._buckets.setdefault(bucket, OrderedDict())
        tokens, seen = keys.get(key, (float(burst), now))
        tokens = min(float(burst), tokens + max(0, now - seen) / MICROSECONDS * per_second)
        if tokens < 1:
            # Kept as it was, so that knocking while empty does not push the refill away.
            keys[key] = (tokens, max(now, seen))
            keys.move_to_end(key)  # else a crowd of other keys would push it out, and its next try would find it full
            raise TooMany(math.ceil((1 - tokens) / per_second) if per_second > 0 else MICROSECONDS)
        keys[key] = (tokens - 1, max(now, seen))
        keys.move_to_end(key)
        if len(keys) > self._max_keys:
            keys.popitem(last=False)
