"""Messages as mail servers send them, signed with invented keys, and a DNS that knows them."""

import base64
import random
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from vault.breach_reports.mail.lookups import Unanswered

AUTHOR = "huda@example.org"
TEXT = "نشرت الجمعية صورة ابنتي في حسابها دون أن أوافق على النشر."
SIGNED = [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"]


@cache
def key(bits: int = 2048) -> tuple[bytes, str]:
    """A private key in PEM, and its DNS record."""
    made = _small(bits) if bits < 1024 else rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    form, none = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    public = made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made.private_bytes(serialization.Encoding.PEM, form, none), f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def _small(bits: int) -> rsa.RSAPrivateKey:
    """A key smaller than the library makes."""
    e, draw = 65_537, random.Random(bits)
    while True:
        p, q = (_prime(draw, bits // 2) for _ in range(2))
        if p > q and (p * q).bit_length() == bits and (p - 1) * (q - 1) % e:
            d = pow(e, -1, (p - 1) * (q - 1))
            public = rsa.RSAPublicNumbers(e, p * q)
            return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def _prime(draw: random.Random, bits: int) -> int:
    while True:
        found = draw.getrandbits(bits) | 1 | 1 << (bits - 1)
        if all(pow(base, found - 1, found) == 1 for base in (2, 3, 5, 7, 11)):
            return found


@dataclass(slots=True)
class Dns:
    """The records of some names; nothing of what is in `silent` is answered."""

    records: dict[str, list[bytes]] = field(default_factory=dict)
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def txt(self, name: str) -> list[bytes]:
        self.asked.append(name)
        if self.silent:
            raise Unanswered
        return self.records.get(name, [])


def dns(domain: str = "example.org", *, bits: int = 2048, flags: str = "", dmarc: str | None = "v=DMARC1; p=reject") -> Dns:
    """A DNS in which a domain has the key of these tests under the selector `s1`, and this DMARC record."""
    found = Dns({f"s1._domainkey.{domain}": [(key(bits)[1] + flags).encode()]})
    if dmarc is not None:
        found.records[f"_dmarc.{domain}"] = [dmarc.encode()]
    return found


def letter(text: str = TEXT, *, number: int = 1, **header: Any) -> bytes:
    """A plain message; `header` sets fields, None leaves one out."""
    made = EmailMessage()
    told = {
        "From": AUTHOR,
        "To": "privacy@example.net",
        "Subject": "بلاغ عن انتهاك",
        "Date": "Wed, 31 Dec 2025 22:00:00 +0300",
        "Message-ID": f"<{number}@example.org>",
        **{name.replace("_", "-"): value for name, value in header.items()},
    }
    for name, value in told.items():
        if value is not None:
            made[name] = value
    made.set_content(text)
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def signed(
    raw: bytes,
    domain: str = "example.org",
    *,
    bits: int = 2048,
    headers: list[bytes] | None = None,
    length: bool = False,
    until: int | None = None,
    body: bytes = b"relaxed",
) -> bytes:
    """The message with a signature of the domain's on top, which holds until some second of Unix time."""
    also = None if until is None else f"@{domain}; x={until}; z={domain}".encode()  # the library signs no other tags than its own
    at = time.time() if until is None else min(time.time(), until - 1)
    with patch.object(dkim, "time", SimpleNamespace(time=lambda: at)):
        made = dkim.sign(
            raw,
            b"s1",
            domain.encode(),
            key(bits)[0],
            identity=also,
            include_headers=SIGNED if headers is None else headers,
            length=length,
            canonicalize=(b"relaxed", body),
        )
    return bytes(made) + raw
