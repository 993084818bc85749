"""What a client may, side by side with what it is to be: only a change that is narrower in every respect is one person's to make."""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

import msgspec

from vault.rulebook.shapes import ClientFact


@dataclass(frozen=True, slots=True)
class Changes:
    """What of a client is to be otherwise; None leaves it as it is. `expires_at` in microseconds UTC."""

    scopes: tuple[str, ...] | None = None
    purposes: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    expires_at: int | None = None

    def of(self, client: ClientFact) -> ClientFact:
        """The client with these changes."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__ if getattr(self, name) is not None}
        lists = {name: tuple(sorted(set(value))) for name, value in said.items() if name != "expires_at"}
        return msgspec.structs.replace(client, **{**said, **lists})


def bounded(client: ClientFact, bounds: ClientFact) -> ClientFact:
    """The client with what the other may, its own key and end."""
    return msgspec.structs.replace(
        client, scopes=bounds.scopes, purposes=bounds.purposes, types=bounds.types, networks=bounds.networks, changed_at=bounds.changed_at
    )


def is_within(after: ClientFact, before: ClientFact) -> bool:
    """Whether a client as it is to be may nothing, nowhere and at no time that it may not as it is."""
    return (
        set(after.scopes) <= set(before.scopes)
        and set(after.purposes) <= set(before.purposes)
        and (before.types is None or (after.types is not None and set(after.types) <= set(before.types)))
        and _reach_within(after.networks, before.networks)
        and (before.expires_at is None or (after.expires_at is not None and after.expires_at <= before.expires_at))
    )


def _reach_within(after: Collection[str], before: Collection[str]) -> bool:
    """Whether every address of the first is one of the second; none named means everywhere."""
    if not before:
        return True
    wider = [ip_network(text) for text in before]
    return bool(after) and all(any(_covers(each, ip_network(text)) for each in wider) for text in after)


def _covers(wide: IPv4Network | IPv6Network, narrow: IPv4Network | IPv6Network) -> bool:
    if isinstance(wide, IPv4Network):
        return isinstance(narrow, IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, IPv6Network) and narrow.subnet_of(wide)
