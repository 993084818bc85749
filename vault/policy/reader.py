"""Reading a nested table strictly: every member is asked for by name, and what nobody asked for is refused with its path."""

from collections.abc import Mapping, Sequence
from typing import cast


class PackRefused(ValueError):
    """A pack that does not hold: the dotted path of the member and a stable code (`missing`, `unknown`, `wrong-type`, …)."""

    def __init__(self, path: str, code: str) -> None:
        """Hold path and code; both come from the pack's own file and from nobody's data."""
        super().__init__(f"{path or 'pack'}: {code}")
        self.path = path
        self.code = code


class Reader:
    """One table of a pack and what of it has not been asked for yet."""

    def __init__(self, table: Mapping[str, object], path: str = "") -> None:
        """Read from a copy: the caller's table is left as it is."""
        self._left = dict(table)
        self.path = path

    def has(self, name: str) -> bool:
        """True where the member is there and not read yet."""
        return name in self._left

    def names(self) -> tuple[str, ...]:
        """The names not read yet, in the file's order."""
        return tuple(self._left)

    def text(self, name: str) -> str:
        """A text that is not blank."""
        value = self._take(name)
        if not isinstance(value, str):
            raise PackRefused(self._at(name), "wrong-type")
        if not value.strip():
            raise PackRefused(self._at(name), "blank")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the allowed words; the default where the member is not there."""
        if default is not None and not self.has(name):
            return default
        value = self.text(name)
        if value not in allowed:
            raise PackRefused(self._at(name), "unknown-word")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where the member is not there."""
        value = self._left.pop(name, False)
        if not isinstance(value, bool):
            raise PackRefused(self._at(name), "wrong-type")
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from low to high, both inclusive; the default where the member is not there."""
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise PackRefused(self._at(name), "wrong-type")
        if not low <= value <= high:
            raise PackRefused(self._at(name), "out-of-range")
        return value

    def words(self, name: str, allowed: Sequence[str] | None) -> tuple[str, ...]:
        """A list of different words, each of those allowed (any where that is None); empty where the member is not there."""
        return self._words(self._left.pop(name, []), allowed, self._at(name))

    def groups(self, name: str, allowed: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """A list of lists of words; empty where the member is not there."""
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            raise PackRefused(self._at(name), "wrong-type")
        return tuple(self._words(each, allowed, self._at(name)) for each in cast("list[object]", value))

    def table(self, name: str, *, optional: bool = False) -> "Reader":
        """A table within; an empty one where it is not there and need not be."""
        if optional and not self.has(name):
            return Reader({}, self._at(name))
        value = self._take(name)
        if not isinstance(value, dict):
            raise PackRefused(self._at(name), "wrong-type")
        return Reader(cast("dict[str, object]", value), self._at(name))

    def tables(self, name: str) -> list[tuple[str, "Reader"]]:
        """A table of tables, by name in the file's order; none where it is not there."""
        outer = self.table(name, optional=True)
        return [(key, outer.table(key)) for key in outer.names()]

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        for name in self._left:
            raise PackRefused(self._at(name), "unknown")

    def _take(self, name: str) -> object:
        if name not in self._left:
            raise PackRefused(self._at(name), "missing")
        return self._left.pop(name)

    def _words(self, value: object, allowed: Sequence[str] | None, path: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(word, str) for word in cast("list[object]", value)):
            raise PackRefused(path, "wrong-type")
        words = cast("list[str]", value)
        if len(set(words)) != len(words) or (allowed is not None and not set(words) <= set(allowed)):
            raise PackRefused(path, "unknown-word")
        return tuple(words)

    def _at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name
