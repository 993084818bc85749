"""`python -m tests.breach_reports.mortal_intake MOMENT COUNT mail-intake …`: the vault's own command line, killed at such a moment.

`fetched` falls before a message is handed in, `taken` after the service kept it, `seen` after it was marked in the mailbox and not yet
moved, `copied` after it was copied and not yet taken out of its folder, `moved` when it has just been put away.
"""

import imaplib
import sys
from typing import Any

from tests.access.mortal import Stroke
from vault import mail_intake
from vault.cli import main
from vault.mail_intake import Vault

MOMENTS = ("fetched", "taken", "seen", "moved")


def strike(moment: str, stroke: Stroke) -> None:
    """Put the stroke where it falls."""
    fetched, take, uid = mail_intake._fetched, Vault.take, imaplib.IMAP4.uid
    commands = {"seen": "STORE", "moved": "MOVE", "copied": "COPY"}

    def struck_fetch(*given: Any) -> Any:
        found = fetched(*given)
        stroke()
        return found

    def struck_take(*given: Any, **how: Any) -> Any:
        told = take(*given, **how)
        stroke()
        return told

    def struck_uid(box: imaplib.IMAP4, command: str, *given: Any) -> Any:
        told = uid(box, command, *given)
        if command == commands[moment]:
            stroke()
        return told

    if moment == "fetched":
        mail_intake._fetched = struck_fetch  # type: ignore[assignment]
    elif moment == "taken":
        Vault.take = struck_take  # type: ignore[method-assign]
    else:
        imaplib.IMAP4.uid = struck_uid  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    moment, count, *arguments = sys.argv[1:]
    strike(moment, Stroke(int(count)))
    main(arguments)
