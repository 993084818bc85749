"""What the vault gives to and keeps of somebody who reports without a name: a receipt she can write down, and no trace of her network.

Invariants: a receipt is 100 random bits in 20 symbols that are not mistaken for one another; every usual way to type it means the same
receipt; a network's name cannot be told from its mark, and marks of two days cannot be compared, because the key of a day lives in memory
and is forgotten with it.
"""

import os
import re
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from hmac import digest
from ipaddress import ip_address, ip_network

from keys.errors import Unopenable
from keys.secret import Unspoken

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
LENGTH = 20
GROUP = 5
LONGEST = 64
DAY = 86_400_000_000

_LOOKALIKES = str.maketrans("ILOU", "110V")
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015\u2212\u0640_.]+|[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_RECEIPT = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_ALONE_IPV4, _ALONE_IPV6 = 24, 64
_SITE = 48

Entropy = Callable[[int], bytes]


def new_reporter_receipt(*, entropy: Entropy = os.urandom) -> str:
    """Make a receipt: four groups of five symbols with hyphens between."""
    symbols = "".join(ALPHABET[byte % len(ALPHABET)] for byte in entropy(LENGTH))  # 256 is a multiple of 32: no symbol is likelier
    return "-".join(symbols[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def fold_reporter_receipt(typed: str) -> str:
    """Return the 20 symbols that were meant: digits of any script, lower case, spaces, hyphens and lookalikes folded; else Unopenable."""
    if len(typed) > LONGEST:
        raise Unopenable
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", typed))
    digits = "".join(str(unicodedata.decimal(each, each)) for each in plain)
    folded = digits.upper().translate(_LOOKALIKES)
    if _RECEIPT.fullmatch(folded) is None:
        raise Unopenable
    return folded


class Passers(Unspoken):
    """Marks for client networks, good for counting within one day and for nothing else."""

    __slots__ = ("_day", "_entropy", "_key")

    def __init__(self, *, entropy: Entropy = os.urandom) -> None:
        self._entropy = entropy
        self._day = -1
        self._key = b""

    def mark(self, network: str, now: int) -> str:
        """Return the mark of an address's network (its /24 or /64) on the day of `now` (microseconds UTC); one for all that are none."""
        return self._mark(_network(network), now)

    def mark_of_site(self, network: str, now: int) -> str:
        """Return the mark of the site (/48) that an address of IPv6 is in, in the same way; "" for any other."""
        near = _network(network)
        return self._mark(str(ip_network((near.split("/")[0], _SITE), strict=False)), now) if ":" in near else ""

    def _mark(self, network: str, now: int) -> str:
        day = now // DAY
        if day != self._day:
            self._day, self._key = day, self._entropy(32)
        return digest(self._key, network.encode(), sha256).hex()[:32]


def _network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    # What a dual-stack socket or a proxy writes as ::ffff:a.b.c.d is a.b.c.d (RFC 4291, 2.5.5.2), and not one network with all the others.
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, _ALONE_IPV4 if address.version == 4 else _ALONE_IPV6), strict=False))  # noqa: PLR2004  # the version
