"""Sends one message to one address of a recipient's, over TLS, and to nothing else (docs/adr/0073).

Invariants: the address is looked up once, every address it has is judged, and the very address that was judged is connected to, so that a
name that points elsewhere a moment later gains nothing; no redirect is followed and no answer beyond its first line is read; however slow,
large or strange the other side is, it is over after ten seconds and a few kilobytes.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult

from vault.errors import VaultError
from vault.web.webhook_address import parse_webhook

PATIENCE: Final = 10.0
LONGEST_LINE: Final = 4096
LOOKUPS: Final = 8
HTTPS: Final = 443
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_OK: Final = range(200, 300)

Resolve = Callable[[str, int], Sequence[str]]


class Undelivered(VaultError):
    """A message that was not taken; the code says why: `webhook-target`, `-unknown-host`, `-unreachable`, `-status`, `-answer`, `-slow`."""

    code = "webhook-unreachable"


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host, as the system's resolver tells it. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def trust(ca_file: str | None = None) -> ssl.SSLContext:
    """Whom to believe: the system's authorities, or those in the file instead. Raises OSError for a file that cannot be read."""
    return ssl.create_default_context(cafile=ca_file)


@dataclass(frozen=True, slots=True)
class Wire:
    """How messages leave: whom to believe, and whether addresses inside the house are allowed, which is for tests and trials."""

    context: ssl.SSLContext
    private_targets: bool = False
    resolve: Resolve = look_up
    patience: float = PATIENCE
    # Threads of its own: a resolver that hangs must not keep anybody else in the vault waiting.
    lookups: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup"))

    async def send(self, address: str, message: str) -> None:
        """Send a message; returns once it was taken. Raises Undelivered."""
        target = parse_webhook(address)
        if target is None:
            raise Undelivered("webhook-target")
        try:
            async with asyncio.timeout(self.patience):
                await self._send(target, message.encode())
        except TimeoutError:
            raise Undelivered("webhook-slow") from None

    def close(self) -> None:
        """Let the threads go; a lookup that hangs is waited for no longer."""
        self.lookups.shutdown(wait=False, cancel_futures=True)

    async def _send(self, target: SplitResult, body: bytes) -> None:
        host, port = target.hostname or "", target.port or HTTPS
        try:
            found = await asyncio.get_running_loop().run_in_executor(self.lookups, self.resolve, host, port)
        except (OSError, UnicodeError):
            raise Undelivered("webhook-unknown-host") from None
        if not found or not (self.private_targets or all(map(is_public, found))):
            raise Undelivered("webhook-target")
        try:
            reader, writer = await asyncio.open_connection(
                found[0], port, ssl=self.context, server_hostname=host, limit=LONGEST_LINE, ssl_handshake_timeout=self.patience
            )
        except (OSError, ssl.SSLError):
            raise Undelivered from None
        try:
            writer.write(_request(target, body))
            await writer.drain()
            _require_taken(await reader.readline())
        except (OSError, ssl.SSLError, ValueError):
            raise Undelivered("webhook-answer") from None
        finally:
            writer.transport.abort()


def is_public(text: str) -> bool:
    """Whether an address lies in the public network: neither inside a house nor one that stands for such an address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _request(target: SplitResult, body: bytes) -> bytes:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: {target.netloc}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "User-Agent: amanah",
        "Connection: close",
    )
    return ("\r\n".join(head) + "\r\n\r\n").encode("ascii") + body


def _require_taken(line: bytes) -> None:
    """Read the first line of the answer. Raises Undelivered for any word but one of the two hundreds, redirections included."""
    version, _, rest = line.partition(b" ")
    word = rest[:3]
    if not version.startswith(b"HTTP/1.") or not word.isdigit():
        raise Undelivered("webhook-answer")
    if int(word) not in _OK:
        raise Undelivered("webhook-status")
