"""The declaration of one HTTP call: everything the front enforces and the OpenAPI file tells comes from here.

Invariants: a Route says who may come in; a body type refuses unknown members, all the way down; a Route that cannot hold is refused when it
is made, never when it is called.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, dataclass_transform

import msgspec

from vault.web.answer import HTML, JSON, Answer
from vault.web.call import Call
from vault.web.form import Form
from vault.web.scopes import Access, Needs, Person, Public

__all__ = ["Access", "Body", "Handler", "Needs", "Person", "Public", "Query", "Rate", "Route"]

Handler = Callable[[Call], Awaitable[Answer]]
Sites = Callable[[str], Collection[str]]
"""The origins of other sites whose pages may make a call and read its answer, by an association's code."""
Kind = Literal["text", "integer", "id", "time", "choice", "fields"]

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE
USUAL_BODY = 64 * KIBIBYTE
LARGE_BODY = 4 * MEBIBYTE
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PATH = re.compile(r"(/([a-z0-9.-]+|\{[a-z_]+\}))*(/\{[a-z_]+:path\})?|/")
_PARAMETER = re.compile(r"\{([a-z_]+)(:path)?\}")
HEADER_NAMES = frozenset({"Idempotency-Key", "If-Match", "Amanah-On-Behalf-Of", "Range", "If-Range"})


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every request body: immutable, unknown members are refused, and a subclass inherits both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query parameter.

    `kind` and what the controller gets: text (str of `low` to `high` characters, at most 200 unless said), integer (int within `low` and
    `high`), id (16 bytes), time (UTC microseconds), choice (str out of `choices`), fields (tuple of distinct names).
    """

    kind: Kind
    required: bool = False
    low: int | None = None
    high: int | None = None
    default: int | str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A token bucket that a route spends from, per client network (its /24 or /64): `burst` at once, `per_second` after that."""

    bucket: str
    burst: int
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call of the contract.

    `path`: a template such as "/v1/records/{record}"; a last segment "{tile:path}" takes the rest. `body`: the type of the request's JSON,
    None where there is none; `optional_body` takes an empty one for `{}`. `raw_body`: the controller gets `call.raw` (up to `max_body`
    bytes) and judges the content type itself, among `accepts`. `form`: the controller gets `call.form`. `media_type` HTML makes it a
    page, whose problems are pages too, unless it lies under /v1. `answer`: the type of the JSON given back, for the OpenAPI file.
    `headers`: which of the contract's request headers the controller reads, for the OpenAPI file. `sign_in`: the path of the page where
    people sign in; the session is then that of the cookie, and who has none is led there. `sites`: whose pages, of other sites, may call
    it (Fetch, CORS); its path names an association, and it is public: a browser sends nothing that tells who somebody is.
    Raises ValueError or TypeError where the declaration cannot hold.
    """

    method: str
    path: str
    name: str
    handler: Handler
    access: Access
    body: type[msgspec.Struct] | None = None
    optional_body: bool = False
    raw_body: bool = False
    form: Form | None = None
    accepts: Sequence[str] = ()
    max_body: int = USUAL_BODY
    answer: Any = None
    status: int = 200
    media_type: str = JSON
    query: Mapping[str, Query] = field(default_factory=dict)
    headers: frozenset[str] = frozenset()
    limit: Rate | None = None
    sign_in: str = ""
    sites: Sites | None = None
    summary: str = ""

    def __post_init__(self) -> None:
        """Refuse a declaration that cannot hold."""
        if self.method not in _METHODS or _PATH.fullmatch(self.path) is None or not self.name:
            raise ValueError(f"route {self.method} {self.path} {self.name}")
        if (self.body is not None) + self.raw_body + (self.form is not None) > 1:
            raise ValueError(f"{self.name}: a body is JSON, a form or raw, and only one of them")
        if not self.headers <= HEADER_NAMES:
            raise ValueError(f"{self.name}: headers other than {sorted(HEADER_NAMES)}")
        if self.sites is not None and ("association" not in self.parameters or not isinstance(self.access, Public)):
            raise ValueError(f"{self.name}: other sites call what is public and an association's")
        if self.sign_in and (not self.is_page or isinstance(self.access, Public)):
            raise ValueError(f"{self.name}: a session by cookie counts for pages only")
        if self.body is not None:
            require_closed(self.body)

    @property
    def is_page(self) -> bool:
        """Tell whether people look at it: then whatever goes wrong is told them on a page; a program that fetches one is told as ever."""
        return self.media_type == HTML and not self.path.startswith("/v1/")

    @property
    def is_linked(self) -> bool:
        """Tell whether others link to it: a page to look at, found also by a link that somebody's service has added to."""
        return self.is_page and self.method == "GET"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Tell the names of the path's parameters, in order."""
        return tuple(found[1] for found in _PARAMETER.finditer(self.path))

    @property
    def template(self) -> str:
        """Tell the path as OpenAPI, logs and metrics write it: each parameter as {name}."""
        return _PARAMETER.sub(r"{\1}", self.path)


def require_closed(root: type[msgspec.Struct]) -> None:
    """Check that a body type and every Struct inside it refuse unknown members. Raises TypeError naming the first that does not."""
    for struct in structs_of(root):
        if not struct.__struct_config__.forbid_unknown_fields:
            raise TypeError(f"{struct.__name__} takes unknown members")


@cache
def structs_of(root: type[msgspec.Struct]) -> tuple[type[msgspec.Struct], ...]:
    """Return the Struct types that a body of type `root` can hold, itself first, in the order met."""
    found: list[type[msgspec.Struct]] = []
    waiting: list[Any] = [msgspec.inspect.type_info(root)]
    while waiting:
        info = waiting.pop(0)
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                continue
            found.append(info.cls)
            waiting.extend(member.type for member in info.fields)
        elif isinstance(info, msgspec.inspect.UnionType):
            waiting.extend(info.types)
        else:
            waiting.extend(getattr(info, part) for part in ("item_type", "key_type", "value_type") if hasattr(info, part))
            waiting.extend(getattr(info, "item_types", ()))
    return tuple(found)
