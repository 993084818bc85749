"""Who asks, as every room sees her: a reference for the log, what she may, and a way to ask again inside a deed."""

from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

import msgspec

from vault.access_log.deed import Deed, EntryRefusal
from vault.access_log.entry import About, Entry
from vault.policy.facts import Caller
from vault.rulebook.association import Association
from vault.rulebook.book import Book
from vault.rulebook.two_people import accounts_of
from vault.storage.idempotency import Once, once

# Members in one order: a body written in another order is the same body.
_bodies = msgspec.json.Encoder(order="sorted")


class Asker(Protocol):
    """An authenticated client or member of staff; `identity` makes them, the roof hands them to the web front."""

    @property
    def ref(self) -> str:
        """Who it is in the log: `client:<hex>` or `staff:<hex>`."""

    @property
    def on_behalf(self) -> str | None:
        """The member of staff at the screen, by the client's word: `staff:<hex>`."""

    @property
    def association(self) -> Association:
        """The association the credential belongs to."""

    @property
    def scopes(self) -> frozenset[str]:
        """What it may."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What every entry of its approvals carries, such as `ceremony`."""

    @property
    def assignees(self) -> frozenset[str]:
        """To whom a case may be assigned for this asker to have it: "staff:<hex>" and "unit:<code>"."""

    @property
    def asker(self) -> Caller:
        """What a verdict needs to know about the caller."""

    def still(self, deed: Deed) -> Self:
        """The same asker as the rulebook inside this deed knows it. Raises Unauthenticated where it is no more."""


_MAY_NOTHING: Final = Caller(purposes=frozenset())


@dataclass(frozen=True, slots=True)
class Stranger:
    """Whoever asks without an account, by the door she came through: nobody by name, who may nothing but what that door is for."""

    association: Association
    ref: str
    on_behalf: str | None = None
    scopes: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()
    assignees: frozenset[str] = frozenset()
    asker: Caller = _MAY_NOTHING

    def still(self, _deed: Deed) -> "Stranger":
        """The same stranger: there is no account that could end."""
        return self


@dataclass(frozen=True, slots=True)
class Errand:
    """Who asks, in which request: what every deed of a room is done for."""

    asker: Asker
    request: str

    @property
    def hand(self) -> str:
        """Who did it, as the log names her: the member of staff at the screen, else the asker."""
        return self.asker.on_behalf or self.asker.ref

    @property
    def accounts(self) -> frozenset[str]:
        """Every account of who asks and of the person at the screen, by the book this process read last: `still` reads it in a deed."""
        refs, book = [ref for ref in (self.asker.ref, self.asker.on_behalf) if ref is not None], self.asker.association.books.latest
        return frozenset(refs) if book is None else accounts_of(book, refs)

    def still(self, deed: Deed) -> "Errand":
        """The same errand of the asker as the rulebook inside this deed knows it. Raises Unauthenticated where it is no more."""
        asker = self.asker.still(deed)
        return self if asker is self.asker else replace(self, asker=asker)

    def book(self, deed: Deed) -> Book:
        """The rulebook as it stands inside this deed. Raises Unavailable `integrity` where a fact does not hold."""
        return self.asker.association.books.at(deed)

    async def newest_book(self) -> Book:
        """The rulebook of this moment, for an asker who still stands in it. Raises Unauthenticated, Unavailable `integrity`."""
        return await self.asker.association.run(lambda deed: self.still(deed).book(deed))

    def entry(self, **members: object) -> Entry:
        """An entry of this errand: actor, for whom, and the request's id are filled in."""
        asker = self.asker
        return Entry(actor=asker.ref, on_behalf=asker.on_behalf, request=self.request, **members)  # type: ignore[arg-type]  # Entry's own members

    def require_type(self, deed: Deed, type_: str, kind: str, about: tuple[About, ...] = ()) -> None:
        """Refuse an asker whose key is not for records of this type (article 1); `kind` is that of the entry the refusal leaves."""
        types = self.asker.asker.types
        if types is not None and type_ not in types:
            article = f"{self.book(deed).association.pack}:1"
            raise EntryRefusal(self.entry(kind=kind, outcome="refuse", reason="OUT_OF_SCOPE", article=article, about=about))

    def require_assigned(self, deed: Deed, until: int, kind: str, about: tuple[About, ...] = ()) -> None:
        """Refuse a caseworker somebody whose case she does not have: `until` is when what assigns it to her ends (article 2)."""
        if self.asker.asker.only_assigned and until <= deed.now:
            article = f"{self.book(deed).association.pack}:2"
            raise EntryRefusal(self.entry(kind=kind, outcome="refuse", reason="NOT_ASSIGNED", article=article, about=about))


def once_for(asker: Asker, *, route: str, key: str | None, body: object) -> Once | None:
    """The idempotency of one request, hashed under the association's key; None where the caller sent none."""
    if key is None:
        return None
    seal = asker.association.cabinet.idempotency.seal
    return once(
        lambda what, content: seal(f"idempotency.{what}", asker.association.id, content),
        caller=asker.ref,
        route=route,
        key=key,
        body=_bodies.encode(body),
    )
