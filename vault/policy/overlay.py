"""A pack laid over another: what a relationship policy says beside the privacy articles, which it narrows and never widens.

Invariants: an article, a field or a predicate of the pack below is never taken away or said anew; a purpose of it may be narrowed member
by member and is held against it afterwards (`vault.policy.narrowing`).
"""

from collections.abc import Mapping
from typing import Any, Final

from vault.policy.reader import PackRefused

Table = dict[str, Any]
_ADDED: Final = ("articles",)
"""Tables whose members are only added."""
_SAID_ANEW: Final = ("reply", "review", "retention", "report_categories")
"""Tables whose members the upper pack may say anew, one by one."""
_DEEP: Final = ("purposes", "record_types", "notice")
"""Tables of tables: the upper pack says members of a member anew."""
_PARTS: Final = ("fields", "predicates")
"""Parts of a record type whose members are only added."""


def overlaid(below: Mapping[str, Any], own: Mapping[str, Any]) -> Table:
    """The upper pack's tables over those below, as one pack. Raises PackRefused `laid-down-already`, `wrong-type`."""
    made: Table = {**below, **own}
    for name in (*_ADDED, *_SAID_ANEW, *_DEEP):
        if name in below and name in own:
            laid, said = _table(name, below[name]), _table(name, own[name])
            if name in _ADDED:
                _require_new(name, laid, said)
            made[name] = {**laid, **(said if name not in _DEEP else {code: _member(name, code, laid, said[code]) for code in said})}
    return made


def _member(name: str, code: str, below: Table, said: object) -> object:
    """A purpose, type or notice with what the upper pack says anew of it; what is no table is said whole."""
    laid = below.get(code)
    if laid is None or not isinstance(said, dict) or not isinstance(laid, dict):
        return said
    if name != "record_types":
        return {**laid, **said}
    return {**laid, **said, **{part: _more(f"{name}.{code}.{part}", laid, said, part) for part in _PARTS if part in laid or part in said}}


def _more(path: str, laid: Mapping[str, Any], said: Mapping[str, Any], part: str) -> Table:
    """The members of a part of a record type, to which the upper pack only adds."""
    there, added = laid.get(part, {}), _table(path, said.get(part, {}))
    _require_new(path, there, added)
    return {**there, **added}


def _require_new(path: str, below: Table, own: Table) -> None:
    for name in own:
        if name in below:
            raise PackRefused(f"{path}.{name}", "laid-down-already")


def _table(path: str, value: object) -> Table:
    if not isinstance(value, dict):
        raise PackRefused(path, "wrong-type")
    return value
