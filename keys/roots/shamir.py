"""A root key in shares: any `threshold` of them give it back, fewer say nothing about it (Shamir, GF(2^8), byte by byte).

Invariants: the root is held by nobody but while it is made or put together; a share that is mistyped, of another set or
there twice is refused by its number and never repeated; what is put together proves itself by the slot it opens.
Form of a share: docs/spec/root-share.md. Not constant in time: this runs in a ceremony, not on a request.
"""

import hashlib
import os
import re
import struct
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import xor
from typing import Final, Self

from keys.errors import Unopenable, Unsealable
from keys.roots.local import LocalRoot
from keys.secret import Secret, Unspoken

Entropy = Callable[[int], bytes]

THRESHOLD: Final = 3
SHARES: Final = 5
MOST: Final = 16
_HEAD = struct.Struct(">4sBB")  # set, number of the share, threshold
_BODY = 38
_SIZE = 42  # and a checksum of four bytes
_LABEL = b"vault/root-share/v1"
_GROUPS = 21
_GROUP = 6
_LINE = 3
_CHECK = 13
_LARGEST_GROUP = 0xFFFF
_MARK = "-----"
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015\u2212\u0640.,،:|/]+|[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class ShareRefused(Unopenable):
    """A share that is not taken: `share-mistyped`, `share-twice`, `share-of-another-set` or `shares-too-few`.

    `share` is its number, 0 where that cannot be read; `group` the first group of digits that is wrong, 0 where it is the whole.
    """

    def __init__(self, code: str, share: int = 0, group: int = 0) -> None:
        """Say the code and the numbers, and nothing of what was typed."""
        Exception.__init__(self, f"{code} share {share} group {group}")
        self.code = code
        self.share = share
        self.group = group


class ShamirRoot(LocalRoot):
    """A root key put together from shares, for as long as this process needs it."""

    __slots__ = ("set_id",)
    kind = "shamir"

    def __init__(self, root: Secret, set_id: str) -> None:
        """Hold the root of that set of shares."""
        super().__init__(root)
        self.set_id = set_id

    def describe(self) -> str:
        """Name the set of shares."""
        return f"shares of set {self.set_id}"


class Share(Unspoken):
    """One share: its set (8 hex digits), its number from 1, how many are needed, and 32 secret bytes."""

    __slots__ = ("_value", "index", "set_id", "threshold")

    def __init__(self, set_id: str, index: int, threshold: int, value: Secret) -> None:
        """Hold the share."""
        self.set_id = set_id
        self.index = index
        self.threshold = threshold
        self._value = value

    def __repr__(self) -> str:
        """Name set and number and nothing of the share."""
        return f"Share({self.set_id}, {self.index})"

    def point(self) -> tuple[int, bytes]:
        """Return number and bytes; for use inside this package only."""
        return self.index, self._value.reveal()

    def groups(self) -> tuple[str, ...]:
        """Return the 21 groups of six digits that are typed in again: this is the share itself."""
        body = _HEAD.pack(bytes.fromhex(self.set_id), self.index, self.threshold) + self._value.reveal()
        words = struct.unpack(f">{_GROUPS}H", body + _checksum(body))
        return tuple(f"{_CHECK * word + at % _CHECK:0{_GROUP}d}" for at, word in enumerate(words, 1))

    def printed(self) -> str:
        """Return the sheet for the one person who keeps this share, in Arabic and English; it is secret as a whole."""
        groups = self.groups()
        rows = [(at, groups[at : at + _LINE]) for at in range(0, _GROUPS, _LINE)]
        typed = "\n".join(f"{at + 1:>2}   {'   '.join(row)}" for at, row in rows)
        return _SHEET.format(
            index=self.index,
            threshold=self.threshold,
            set_id=self.set_id,
            checksum=_checksum(_HEAD.pack(bytes.fromhex(self.set_id), self.index, self.threshold) + self._value.reveal()).hex(),
            typed=typed,
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the groups as they were typed, or a whole sheet: spaces, lines, hyphens, Arabic digits and unseen characters do not count.

        ShareRefused `share-mistyped` for anything else, with the number of the share where it can still be read.
        """
        words, wrong = _words(text)
        raw = struct.pack(f">{_GROUPS}H", *words)
        set_id, index, threshold = _HEAD.unpack_from(raw)
        # The number of the share stands in the third group: if that one holds, the share can be named though another group is wrong.
        readable = index if 3 not in wrong and 1 <= index <= MOST else 0  # noqa: PLR2004  # the third group
        if wrong or not readable or not 2 <= threshold <= MOST or _checksum(raw[:_BODY]) != raw[_BODY:]:  # noqa: PLR2004  # the least
            raise ShareRefused("share-mistyped", readable, min(wrong, default=0))
        return cls(set_id.hex(), index, threshold, Secret(raw[_HEAD.size : _BODY]))


_SHEET = """\
أمانة: الحصة رقم {index} من مفتاح الاسترداد
Amanah: share {index} of the recovery key

المجموعة / Set           {set_id}
رقم الحصة / Share        {index}
العدد اللازم / Needed    {threshold}
رمز التحقق / Checksum    {checksum}

هذه الورقة سرية. احفظها وحدك في مكان مقفل، ولا تصوّرها ولا ترسلها. عدد الحصص اللازم لفتح الخزنة: {threshold}.
This sheet is secret. Keep it under lock, by yourself; do not photograph or send it. Shares needed to open the vault: {threshold}.

عند الاسترداد اكتب الأرقام التي بين الخطين من اليسار إلى اليمين دون رقم السطر، بأي أرقام: 0123456789 أو ٠١٢٣٤٥٦٧٨٩.
To recover, type the digits between the two lines from left to right, without the number of the row, in either kind of digits.

-----
{typed}
-----
"""


def create(threshold: int = THRESHOLD, shares: int = SHARES, *, entropy: Entropy = os.urandom) -> tuple[ShamirRoot, tuple[Share, ...]]:
    """Make a new root key and its shares, numbered from 1; Unsealable unless 2 <= threshold <= shares <= 16."""
    if not 2 <= threshold <= shares <= MOST:  # noqa: PLR2004  # one share that opens alone is no share
        raise Unsealable
    set_id, root = entropy(4).hex(), Secret.random(entropy)
    # The root at 0 and random bytes at the first numbers fix the polynomials; all further shares lie on them.
    points = {0: root.reveal(), **{index: entropy(32) for index in range(1, threshold)}}
    made = tuple(Share(set_id, index, threshold, Secret(_at(index, points))) for index in range(1, shares + 1))
    return ShamirRoot(root, set_id), made


def combined(shares: Sequence[Share]) -> ShamirRoot:
    """Return the root these shares give. Whether it is the right one says the slot it opens.

    ShareRefused, with the number of the share that is at fault: `share-of-another-set` (than the first), `share-twice`,
    `shares-too-few` (the number of the last one there).
    """
    if not shares:
        raise ShareRefused("shares-too-few")
    first, seen = shares[0], set[int]()
    for share in shares:
        if (share.set_id, share.threshold) != (first.set_id, first.threshold):
            raise ShareRefused("share-of-another-set", share.index)
        if share.index in seen:
            raise ShareRefused("share-twice", share.index)
        seen.add(share.index)
    if len(shares) < first.threshold:
        raise ShareRefused("shares-too-few", shares[-1].index)
    return ShamirRoot(Secret(_at(0, dict(share.point() for share in shares[: first.threshold]))), first.set_id)


def _words(text: str) -> tuple[list[int], set[int]]:
    """Return the 21 numbers of two bytes and which groups, counted from 1, are wrong. ShareRefused for another count of digits."""
    inside = text.split(_MARK)[1] if text.count(_MARK) == 2 else text  # noqa: PLR2004  # a whole sheet
    if text.count(_MARK) == 2:  # noqa: PLR2004
        inside = re.sub(r"^\s*\d+ {3}", "", inside, flags=re.MULTILINE)
    digits = "".join(_digit(character) for character in _BETWEEN.sub("", inside))
    if len(digits) != _GROUPS * _GROUP:
        raise ShareRefused("share-mistyped")
    groups = [divmod(int(digits[at : at + _GROUP]), _CHECK) for at in range(0, len(digits), _GROUP)]
    wrong = {at for at, (word, rest) in enumerate(groups, 1) if rest != at % _CHECK or word > _LARGEST_GROUP}
    return [min(word, _LARGEST_GROUP) for word, _ in groups], wrong


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    if value is None:
        raise ShareRefused("share-mistyped")
    return str(value)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(_LABEL + body).digest()[:4]


def _at(where: int, points: Mapping[int, bytes]) -> bytes:
    """Return the value at `where` of the polynomials through these points, one for each byte (Lagrange)."""
    if where in points:
        return points[where]
    weights = {one: _weight(where, one, points) for one in points}
    size = len(next(iter(points.values())))
    return bytes(reduce(xor, (_times(weights[one], value[at]) for one, value in points.items())) for at in range(size))


def _weight(where: int, one: int, points: Mapping[int, bytes]) -> int:
    others = [other for other in points if other != one]
    above = reduce(_times, (where ^ other for other in others), 1)
    below = reduce(_times, (one ^ other for other in others), 1)
    return _times(above, _inverse(below))


def _times(one: int, other: int) -> int:
    """Multiply in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, section 4.2)."""
    product = 0
    for _ in range(8):
        product ^= one * (other & 1)
        one = (one << 1) ^ (0x11B * (one >> 7))
        other >>= 1
    return product


def _inverse(value: int) -> int:
    """Return value^254, which is 1 / value for all but 0."""
    return reduce(_times, [value] * 254)
