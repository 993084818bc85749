"""What an association's mailbox is read, graded and answered by: `mail-intake.toml` beside its journal, for service and poller.

Invariants: no secret stands in the file, which names where one lies; nobody is spoken to in the clear but on this machine.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from keys.files import read_private
from vault.breach_reports.mail.answer import Doubtful, Postbox, Refused, Unwritable
from vault.errors import VaultError
from vault.smtp import HERE, Declined, Server, Uncarried, Unsure, send

FILE: Final = "mail-intake.toml"
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_MOST_SECRET: Final = 4096

Folder = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f\"\\*%]+\Z")]


class MailIntakeRefused(VaultError):
    """The file of the mailbox's settings is there and cannot be read as one, or would speak in the clear over a network."""

    code = "mail-intake-refused"


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a secret lies: in a file its owner alone can read, or in a credential of the systemd unit; one of both."""

    file: str | None = None
    credential: str | None = None

    def read(self, environment: Mapping[str, str] = os.environ) -> str:
        """Return the secret. Raises MailIntakeRefused where there is none, or others may read it."""
        try:
            if self.file is not None and self.credential is None:
                content = read_private(Path(self.file), _MOST_SECRET)
            elif self.credential is not None and self.file is None and _CREDENTIAL.fullmatch(self.credential):
                content = read_private(Path(environment[CREDENTIALS]) / self.credential, _MOST_SECRET, roots_group=True)
            else:
                raise MailIntakeRefused
            return content.decode().strip()
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise MailIntakeRefused from error


class Imap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The mailbox: its server, whose it is, which folders are read, where a message goes once nothing is left to do.

    `junk` are folders whose messages become reports in quarantine. `every` is in seconds. `none` as security is for this machine only.
    """

    host: str
    user: str
    password: Secret
    port: int = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    folders: Annotated[tuple[Folder, ...], msgspec.Meta(min_length=1)] = ("INBOX",)
    junk: tuple[Folder, ...] = ()
    done: Folder = "Amanah"
    every: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 60
    ca_file: str | None = None


class MailIntake(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of the file: `provider` is what the mailbox's server calls itself in Authentication-Results, `key` is the vault's API key."""

    imap: Imap | None = None
    key: Secret | None = None
    provider: str = ""
    acknowledgement: Server | None = None


def read_mail_intake(path: Path) -> MailIntake | None:
    """What stands in the file, None where there is none. Raises MailIntakeRefused."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), MailIntake)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise MailIntakeRefused from error
    imap, answers = found.imap, found.acknowledgement
    if (imap is not None and (not _is_private(imap) or imap.done in (*imap.folders, *imap.junk))) or (answers and not answers.holds):
        raise MailIntakeRefused
    return found


def postbox_of(folder: Path) -> Postbox | None:
    """What an association's mail is graded and answered by, None where it has no such file. Raises MailIntakeRefused."""
    found = read_mail_intake(folder / FILE)
    if found is None:
        return None
    answers = found.acknowledgement
    if answers is None:
        return Postbox(found.provider)

    def leave(letter: EmailMessage, to: str) -> None:
        try:
            send(answers, letter, [to], return_path=False)
        except Declined:
            raise Refused from None
        except Uncarried:
            raise Unwritable from None
        except Unsure:
            raise Doubtful from None
        except ValueError as error:
            raise OSError("a name or password no server takes") from error

    return Postbox(found.provider, answers.sender, leave)


def _is_private(imap: Imap) -> bool:
    return imap.security != "none" or imap.host in HERE
