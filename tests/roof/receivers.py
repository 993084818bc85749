"""Recipients' servers as they come, on the loopback interface behind TLS of a CA made for the test: kind, slow, redirecting, hostile."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Manner = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of the test's own: the file to believe it by, and a server's context with a certificate it gave."""

    file: Path
    context: ssl.SSLContext


def authority(folder: Path, host: str = "localhost") -> Authority:
    """A new authority, and a certificate of it for a server on this machine."""
    ca_key, ca_name = ec.generate_private_key(ec.SECP256R1()), _named("a CA of this test")
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), is_ca=True).sign(ca_key, hashes.SHA256())
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ip_address("127.0.0.1"))])
    own = _certificate(_named(host), ca_name, key.public_key(), is_ca=False).add_extension(names, critical=False)
    folder.mkdir(parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(own.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    form = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(form)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return Authority(folder / "ca.pem", context)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(name: x509.Name, by: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(by).public_key(key).serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    return made.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)


@dataclass(slots=True)
class Receiver:
    """A recipient's server: what came to it, and in which manner it answers."""

    manner: Manner
    port: int = 0
    bodies: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    calls: int = 0
    broken: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it."""
        self.calls += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(next(line for line in head.split("\r\n") if line.lower().startswith("content-length:")).split(":")[1])
            self.bodies.append((await reader.readexactly(length)).decode())
            self.heads.append(head)
            self.met.set()
            await self.manner(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.broken += 1  # the vault hung up, or the test is over
        finally:
            writer.close()


def says(line: str, *more: str) -> Manner:
    """A server that answers with this line and these headers."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join((line, *more, "Content-Length: 0", "", "")).encode())
        await writer.drain()

    return answer


async def silent(_writer: asyncio.StreamWriter) -> None:
    """A server that takes everything and says nothing."""
    await asyncio.sleep(30)


async def drips(writer: asyncio.StreamWriter) -> None:
    """A server that answers letter by letter, for ever."""
    for _ in range(3000):
        writer.write(b"H")
        await writer.drain()
        await asyncio.sleep(0.01)


async def floods(writer: asyncio.StreamWriter) -> None:
    """A server whose first line never ends."""
    for _ in range(400):
        writer.write(b"A" * 65536)
        await writer.drain()


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """A server that ends the connection without a word."""
    writer.transport.abort()


@asynccontextmanager
async def receiving(manner: Manner, context: ssl.SSLContext | None) -> AsyncIterator[Receiver]:
    """A server of this manner while the block runs."""
    receiver = Receiver(manner)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
