"""How a letter leaves: over SMTP, to a server that is believed by its certificate, and hung up on where it never comes to an end.

Invariants: no mail server is spoken to in the clear but one on this machine; a letter goes to the addresses it is given, as they are.
"""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from email_validator import EmailNotValidError, validate_email

from keys.files import read_private

PATIENCE: Final = 20.0
MOST_SECONDS: Final = 60.0
"""Seconds that one word of the server may be waited for, and that one mail may take in all.

What is left of the second is how long the word about a letter is waited for: filters look at one first (RFC 5321, 4.5.3.2.6: ten minutes).
"""
HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_PASSWORD: Final = 1024
_PERMANENT: Final = range(500, 600)
_UNDERSTOOD: Final = frozenset({250, *range(400, 600)})
"""Answers to a letter that say whether it was taken."""
_OF_US: Final = frozenset({500, 502, 503, 504, 530, 534, 535, 538})
_OF_US_TOO: Final = re.compile(rb"5\.(?:1\.[78]|[57]\.[0-9]+)(?![0-9])")
"""Permanent answers that tell of who sends and of the commands (RFC 5321 4.2.2, RFC 4954 6, RFC 3463 3), never of a mailbox."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By what server letters leave, and as whom; `none` as security for a server on this machine only.

    `password_file` holds the password of `user`, readable by its owner alone; `ca_file` the certificates to trust instead of the system's.
    """

    sender: str
    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_file: str | None = None
    ca_file: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the sender is an address, and nothing would be sent in the clear over a network."""
        return is_address(self.sender) and (self.security != "none" or self.host in HERE)


def send(server: Server, letter: EmailMessage, to: Sequence[str], *, return_path: bool = True) -> None:
    """Send a letter to these addresses as they are written here, whatever its header makes of them.

    Raises OSError (smtplib's errors, Declined, Uncarried and Unsure among them) and ValueError (a name or password no server takes).
    """
    with _line(server) as line:
        if server.user is not None:
            line.login(server.user, read_private(Path(server.password_file or ""), _MOST_PASSWORD).decode().strip())
        try:
            line.send_message(letter, from_addr=server.sender if return_path else "", to_addrs=list(to))
        except smtplib.SMTPRecipientsRefused as error:
            if all(_for_good(*said) for said in error.recipients.values()):
                raise Declined from error
            raise
        except smtplib.SMTPDataError as error:
            if _for_good(error.smtp_code, error.smtp_error):
                raise Declined from error
            raise
        except smtplib.SMTPNotSupportedError as error:
            if all(map(str.isascii, to)):
                raise
            raise Uncarried from error


def is_address(text: str) -> bool:
    """Whether a text is a mail address, and one that a header and an envelope hold as it is written: no other comes of reading it there."""
    try:
        validate_email(text, check_deliverability=False, allow_quoted_local=False)
    except EmailNotValidError:
        return False
    letter = EmailMessage()
    try:
        letter["To"] = text
    except (IndexError, ValueError, HeaderParseError):
        return False  # an encoded word with nothing in it, or with an end of line, is more than the reader of headers is made for
    return [each.addr_spec for each in letter["To"].addresses] == [text] == [parseaddr(text)[1]]


class Declined(OSError):
    """The server said of the recipient, or of the letter to it, that it will never take it; what it says of who sends is no such word."""


class Uncarried(OSError):
    """The server takes no letter to an address outside ASCII (RFC 6531), whoever's it is: nobody behind it was asked."""


class Unsure(OSError):
    """The line broke, or nonsense came, after the letter was handed over and before the server said whether it took it: nobody can know."""


class _Line(smtplib.SMTP):
    """A line to a mail server that is hung up on after `MOST_SECONDS`: the patience is for each word, and a server may talk for ever."""

    def __init__(self, host: str, port: int) -> None:
        """Connect, and hear the greeting."""
        self._handed_over = self._is_over = False
        self._wire: socket.socket | None = None
        self._end = threading.Timer(MOST_SECONDS, self._hang_up)
        self._end.daemon = True
        self._end.start()
        try:
            super().__init__(host, port, timeout=PATIENCE)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Be done with the server."""
        self._end.cancel()
        if self._wire is not None:
            self._wire.close()
        super().close()

    def data(self, msg: Any) -> tuple[int, bytes]:  # noqa: ANN401 - what smtplib hands on
        """Hand the letter over. Raises Unsure where no word came back, or one that is neither yes nor no."""
        try:
            code, said = super().data(msg)
        except OSError as error:
            if self._handed_over:
                raise Unsure from error
            raise
        self._wait(PATIENCE)
        if code not in _UNDERSTOOD:
            raise Unsure
        return code, said

    def send(self, s: Any) -> None:  # noqa: ANN401 - what smtplib hands on: commands are text, and a letter is bytes
        """Send a command or a letter."""
        self._handed_over = isinstance(s, bytes)
        super().send(s)
        if self._handed_over:
            self._wait(MOST_SECONDS)

    def __exit__(self, *_: object) -> None:
        """Leave; what the server says to that changes nothing about a letter it took."""
        with suppress(OSError):
            self.docmd("QUIT")
        self.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect; the wire is kept a second time, since TLS takes the socket away for as long as its handshake goes on."""
        line: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._wire = line.dup()
        if self._is_over:
            line.close()
            raise TimeoutError
        return line

    def _wait(self, seconds: float) -> None:
        """Wait so long for each word from now on; the end of the line comes at its time all the same."""
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def _hang_up(self) -> None:
        self._is_over = True
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)


class _SealedLine(_Line):
    """The same over TLS from the first byte."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext) -> None:
        """Connect, shake hands, and hear the greeting."""
        self._trust = trust
        super().__init__(host, port)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._trust.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)


def _line(server: Server) -> smtplib.SMTP:
    if server.security == "none":
        return _Line(server.host, server.port)
    trust = ssl.create_default_context(cafile=server.ca_file)
    if server.security == "tls":
        return _SealedLine(server.host, server.port, trust)
    line = _Line(server.host, server.port)
    try:
        line.starttls(context=trust)
    except BaseException:
        line.close()
        raise
    return line


def _for_good(code: int, said: bytes | str) -> bool:
    """Whether an answer about a recipient or a letter to it is the last word."""
    told = said if isinstance(said, bytes) else said.encode()
    return code in _PERMANENT and code not in _OF_US and not _OF_US_TOO.match(told)
