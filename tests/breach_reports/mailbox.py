"""A real IMAP server: Debian's dovecot on the loopback interface over TLS, in a folder of its own, with one made-up mailbox."""

import grp
import imaplib
import os
import pwd
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import self_signed

DOVECOT = Path("/usr/sbin/dovecot")
USER = "privacy@example.net"
SECONDS = 20


@dataclass(slots=True)
class Mailbox:
    """The mailbox: where it is reached, by what certificate it is believed, its password, and where its messages lie."""

    port: int
    cert: Path
    password: str = field(repr=False)
    folder: Path

    @contextmanager
    def open(self) -> Iterator[imaplib.IMAP4_SSL]:
        """A line to it, as its owner has."""
        box = imaplib.IMAP4_SSL("localhost", self.port, ssl_context=ssl.create_default_context(cafile=str(self.cert)), timeout=SECONDS)
        try:
            box.login(USER, self.password)
            yield box
        finally:
            box.logout()

    def bring(self, *raws: bytes, folder: str = "INBOX", flags: str = "") -> None:
        """Let messages arrive in a folder."""
        with self.open() as box:
            box.create(folder)
            for raw in raws:
                assert box.append(folder, flags, "", raw)[0] == "OK"

    def lying(self, folder: str) -> list[bytes]:
        """The messages of a folder that nobody marked as deleted, none where there is no such folder."""
        with self.open() as box:
            if box.select(folder, readonly=True)[0] != "OK":
                return []
            numbers = box.search(None, "UNDELETED")[1][0].split()
            return [box.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1] for number in numbers]  # type: ignore[index,misc]

    def spoil(self, raw: bytes) -> None:
        """Let a message of the inbox be one that the server lists and cannot read."""
        (place,) = (
            each
            for each in (self.folder / USER).glob("*/*")
            if each.is_file() and each.read_bytes().replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n")
        )
        place.chmod(0)

    def flags(self, folder: str) -> list[bytes]:
        """The flags of each message of a folder."""
        with self.open() as box:
            box.select(folder, readonly=True)
            return [each for each in box.fetch("1:*", "(FLAGS)")[1] if isinstance(each, bytes)]


@contextmanager
def dovecot(port: int, *, capability: str = "") -> Iterator[Mailbox]:
    """The server while the block runs; it is a process of this test's own and is ended by its id."""
    folder = Path(tempfile.mkdtemp(prefix="amanah-imap-"))
    folder.chmod(0o755)
    cert, _ = self_signed(folder)
    box = Mailbox(port, cert, secrets.token_urlsafe(16), folder / "mail")
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{box.password}\n")
    (folder / "mail").mkdir()
    (folder / "conf").write_text(_settings(folder, port, capability))
    process = subprocess.Popen([DOVECOT, "-F", "-c", folder / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port, folder / "log")
        yield box
    finally:
        process.terminate()
        process.wait(SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path, port: int, capability: str) -> str:
    root = os.geteuid() == 0
    owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
    os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    own = "" if root else f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {group}\n"
    told = f"imap_capability = {capability}\n" if capability else ""
    return f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
{own}ssl = required
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
{told}passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, log.read_text() if log.exists() else "dovecot ended"
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            assert time.monotonic() < end, log.read_text() if log.exists() else "dovecot does not listen"
            time.sleep(0.05)
