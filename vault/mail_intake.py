"""Brings what lies in an association's mailbox into the vault: fetches each message, hands it to the service, then puts it away (ADR 0083).

Invariants: a message leaves its folder only once the service said that nothing is left to do; until then it is handed in again, and the
service makes one report of it; so a process that dies at any moment loses nothing and doubles nothing. A message that fails, in the mailbox
or at the service, stands aside and keeps none behind it out (ADR 0095). Nothing of a message is said or kept here but its number in its
folder. Whether somebody has looked at a message in the mailbox counts for nothing.
"""

import http.client
import imaplib
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from vault.breach_reports.mail.api import MESSAGE, MOST_MAIL
from vault.calling import line_to
from vault.errors import VaultError
from vault.mail_settings import Imap
from vault.web.times import parse_time, write_time

PATIENCE: Final = 60.0
TAKING: Final = 180.0
"""Seconds the service has for one message: it asks DNS, and a mail server of the association's that may keep it waiting for sixty."""
PAUSE: Final = 600.0
MOST_PAUSE: Final = 3600.0
"""Seconds for which a message that failed stands aside; twice as long after each time, and never longer than an hour."""
SLOWER: Final = 1.0
"""Seconds to wait where the service asks for fewer messages; by then it takes two."""
SOON: Final = 60
"""Seconds after which a service that asks for fewer messages takes more; where it says later, it is the message's own case that is full."""
MOST_LINES: Final = 5
"""Lines to the mailbox in one round: a message at which it hangs up costs one."""
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d{1,12})")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_FULL: Final = "intake-full"
_OF_ALL: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class MailboxFailed(VaultError):
    """The mailbox refused what a round needs: a folder, or a message that is there."""

    code = "mailbox-failed"


class NotTaken(VaultError):
    """The service did not take a message; `goes_on` where the next one may fare better."""

    def __init__(self, code: str, *, goes_on: bool) -> None:
        """Take the code of the service's answer."""
        super().__init__(code)
        self.goes_on = goes_on


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as the mailbox gave it: its bytes, when it arrived there (microseconds UTC, None: unknown), and whether it was larger."""

    raw: bytes
    arrived_at: int | None
    cut: bool


class Round(NamedTuple):
    """How many messages a round put away, and how many failed and stand aside."""

    put_away: int
    aside: int


@dataclass(frozen=True, slots=True)
class _Rest:
    """Until when a message is left alone (seconds UTC), and how often it has failed."""

    until: float
    failures: int = 0


@dataclass(slots=True)
class Vault:
    """The service, as the holder of a key of scope `reports:mail` speaks to it."""

    address: str
    key: str = field(repr=False)
    sleep: Callable[[float], object] = time.sleep

    def take(self, message: Fetched, *, junk: bool) -> int | None:
        """Hand a message in: None where nothing is left to do, else when to hand it in again (microseconds UTC). Raises NotTaken."""
        asked = {"junk": str(junk).lower(), "cut": str(message.cut).lower()}
        if message.arrived_at is not None:
            asked["arrived_at"] = write_time(message.arrived_at)
        path = f"/v1/breach-reports/mail?{urlencode(asked)}"
        status, told, is_too_fast = self._post(path, message.raw)
        if is_too_fast:
            self.sleep(SLOWER)
            status, told, is_too_fast = self._post(path, message.raw)
        if status >= HTTPStatus.BAD_REQUEST:
            code = str(told.get("code", f"status {status}"))
            raise NotTaken(code, goes_on=status not in _OF_ALL and code != "sealed" and not is_too_fast)
        if told.get("done") is True:
            return None
        try:
            return parse_time(str(told.get("again_at")))
        except ValueError:
            raise NotTaken("service-unreachable", goes_on=False) from None

    def _post(self, path: str, raw: bytes) -> tuple[int, dict[str, Any], bool]:
        """The answer's status and members, and whether not this message is too much, but how many came within a short time."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": MESSAGE}
        try:
            line = line_to(urlsplit(self.address), TAKING)
            line.connect()
        except (OSError, ValueError):
            raise NotTaken("service-unreachable", goes_on=False) from None
        with closing(line):
            try:
                line.request("POST", path, raw, headers)
                response = line.getresponse()
                status, content = response.status, response.read()
                after = response.headers.get("Retry-After", "")
            except (OSError, http.client.HTTPException):
                # It was there, and may be at work still: what this message did to it, the next need not do.
                raise NotTaken("no-answer", goes_on=True) from None
        try:
            told = json.loads(content)
        except ValueError:
            told = None
        found = told if isinstance(told, dict) else {}
        is_long = _SECONDS.fullmatch(after) is not None and int(after) > SOON
        return status, found, status == HTTPStatus.TOO_MANY_REQUESTS and found.get("code") != _FULL and not is_long


@dataclass(slots=True)
class Poller:
    """Goes round one mailbox; `say` takes a line for the operator, which never tells anything of a message."""

    imap: Imap
    vault: Vault
    say: Callable[[str], object] = str
    clock: Callable[[], float] = time.time
    _waiting: dict[tuple[str, bytes, bytes], _Rest] = field(default_factory=dict)
    _put: int = 0
    _aside: int = 0

    def run(self, sleep: Callable[[float], object] = time.sleep) -> None:
        """Go round until the process ends; what fails is said, and tried again in the next round."""
        while True:
            with suppress(VaultError):
                self.round()
            sleep(self.imap.every)

    def round(self) -> Round:
        """Go round once; what concerns one message is said and keeps none back. Raises VaultError by name, after it was said."""
        self._put = self._aside = 0
        try:
            for left in reversed(range(MOST_LINES)):
                aside = self._aside
                try:
                    self._go_round()
                    break
                except (OSError, imaplib.IMAP4.abort):
                    if self._aside == aside or not left:
                        raise  # no message was the reason, or too many were
        except VaultError as error:
            self.say(f"mail intake stopped: {error.code}")
            raise
        except (OSError, imaplib.IMAP4.error) as error:
            # By its kind alone: a server's words may repeat what is in the mailbox.
            self.say(f"the mailbox could not be read ({type(error).__name__})")
            raise MailboxFailed from None
        return Round(self._put, self._aside)

    def _go_round(self) -> None:
        """Read every folder over one line to the mailbox. Raises MailboxFailed at the end where one could not be opened."""
        with self._mailbox() as box:
            # A folder that is there already is refused, which is as well.
            box.create(_quoted(self.imap.done))
            told = [(folder, False) for folder in self.imap.folders] + [(folder, True) for folder in self.imap.junk]
            opened = [self._folder(box, folder, junk=junk) for folder, junk in told]
            if not all(opened):
                raise MailboxFailed

    def _folder(self, box: imaplib.IMAP4, folder: str, *, junk: bool) -> bool:
        """Hand in what lies in a folder; whether it could be opened."""
        if box.select(_quoted(folder))[0] != "OK":
            self.say("a folder of the mailbox cannot be opened")
            return False
        validity = bytes((box.response("UIDVALIDITY")[1] or [b""])[0] or b"")
        uids = (_ok(box.uid("SEARCH", "UNDELETED"))[0] or b"").split()
        here = {(folder, validity, uid) for uid in uids}
        self._waiting = {key: rest for key, rest in self._waiting.items() if key[0] != folder or key in here}
        for uid in uids:
            self._message(box, (folder, validity, uid), junk=junk)
        return True

    def _message(self, box: imaplib.IMAP4, key: tuple[str, bytes, bytes], *, junk: bool) -> None:
        """Hand in one message, and put it away if nothing is left to do; set it aside if it fails. Raises what concerns every message."""
        rest = self._waiting.get(key)
        if rest is not None and rest.until > self.clock():
            return
        number = key[2].decode("ascii")
        try:
            message = _fetched(box, number)
            if message is None:
                return  # somebody took it out meanwhile
            again = self.vault.take(message, junk=junk)
            if again is not None:
                self._waiting[key] = _Rest(again / 1e6)
                return
            self._put_away(box, number)
        except NotTaken as refusal:
            if not refusal.goes_on:
                raise
            self._set_aside(key, refusal.code)
        except MailboxFailed as refusal:
            self._set_aside(key, refusal.code)
        except (OSError, imaplib.IMAP4.error) as error:
            self._set_aside(key, type(error).__name__)
            if isinstance(error, (OSError, imaplib.IMAP4.abort)):
                raise  # the line is at an end
        else:
            self._put += 1

    def _set_aside(self, key: tuple[str, bytes, bytes], why: str) -> None:
        rest = self._waiting.get(key, _Rest(0))
        pause = min(PAUSE * 2 ** min(rest.failures, 10), MOST_PAUSE)
        self._waiting[key] = _Rest(self.clock() + pause, rest.failures + 1)
        self._aside += 1
        folder, _, uid = key
        self.say(f'message {uid.decode("ascii")} of "{folder}" was not taken and is set aside for {pause / 60:.0f} minutes: {why}')

    def _put_away(self, box: imaplib.IMAP4, number: str) -> None:
        done, can = _quoted(self.imap.done), _can(box)
        _ok(box.uid("STORE", number, "+FLAGS.SILENT", r"(\Seen)"))
        if "MOVE" in can:
            _ok(box.uid("MOVE", number, done))
            return
        _ok(box.uid("COPY", number, done))
        _ok(box.uid("STORE", number, "+FLAGS.SILENT", r"(\Deleted)"))
        if "UIDPLUS" in can:  # without it an expunge would take along what others marked
            _ok(box.uid("EXPUNGE", number))

    @contextmanager
    def _mailbox(self) -> Iterator[imaplib.IMAP4]:
        """A signed-in line to the mailbox while the block runs."""
        imap = self.imap
        box = self._line()
        try:
            if imap.security == "starttls":
                box.starttls(ssl.create_default_context(cafile=imap.ca_file))
            secret = imap.password.read()
            if "AUTH=PLAIN" in box.capabilities:
                box.authenticate("PLAIN", lambda _: b"\x00".join((b"", imap.user.encode(), secret.encode())))
            else:
                box.login(imap.user, secret)
            yield box
        finally:
            with suppress(OSError, imaplib.IMAP4.error):
                box.logout()
            with suppress(OSError):  # where the line broke nothing was closed
                box.shutdown()

    def _line(self) -> imaplib.IMAP4:
        imap = self.imap
        if imap.security == "tls":
            context = ssl.create_default_context(cafile=imap.ca_file)
            return imaplib.IMAP4_SSL(imap.host, imap.port, ssl_context=context, timeout=PATIENCE)
        return imaplib.IMAP4(imap.host, imap.port, timeout=PATIENCE)


def _fetched(box: imaplib.IMAP4, number: str) -> Fetched | None:
    """The message of this number, None where it is gone; no look of ours marks it as seen."""
    told = _ok(box.uid("FETCH", number, f"(INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{MOST_MAIL}>)"))
    around, raw = b"", None
    for piece in told:
        if isinstance(piece, tuple):
            around, raw = around + piece[0], piece[1]
        else:
            around += piece or b""
    if raw is None:
        return None
    size = _SIZE.search(around)
    # Servers count ends of lines as they please: only of one that fills what is asked for may there be more.
    is_cut = len(raw) >= MOST_MAIL and size is not None and int(size[1]) > len(raw)
    return Fetched(bytes(raw), _moment(around), cut=is_cut)


def _moment(around: bytes) -> int | None:
    at = around.find(b"INTERNALDATE")
    try:
        when = imaplib.Internaldate2tuple(around[at:]) if at >= 0 else None
        return None if when is None else int(datetime.fromtimestamp(time.mktime(when), UTC).timestamp()) * 1_000_000
    except (KeyError, ValueError, OverflowError):  # a month of no name, a day that no calendar has
        return None


def _can(box: imaplib.IMAP4) -> list[str]:
    """What the server can do for who is signed in, which is more than its greeting says."""
    return b" ".join(each for each in _ok(box.capability()) if isinstance(each, bytes)).decode("ascii", "replace").upper().split()


def _quoted(name: str) -> str:
    return f'"{name}"'


def _ok(answer: tuple[str, list[Any]]) -> list[Any]:
    if answer[0] != "OK":
        raise MailboxFailed
    return answer[1]
