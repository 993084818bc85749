"""The root is lost and put in its place again by three sheets, its slot removed and its epoch retired, as docs/operate.md says.

Takes some minutes of waiting for one-time codes. Ends with 1 where a step fails; what `amanah keys status` says at the end is printed.
"""

import random
import re
import sys
import tempfile
from pathlib import Path

from tests.journeys.served import FIRST, Served

THRESHOLD = 3


def signed(served: Served, who: str, *words: str) -> str:
    """What a command of a signed-in person printed; the codes it takes lie in a file for as long as it runs."""
    account = served.secrets[FIRST]["staff"][who]
    codes = [served.code(who) for _ in range(2 if words[0] == "approve" else 1)]
    path = served.folder / "sign-in"
    path.write_text("\n".join([account["username"], account["password"], *codes]), encoding="utf-8")
    try:
        return served.run("keys", *words, "--server", f"http://127.0.0.1:{served.port}", "--sign-in-file", str(path)).decode()
    finally:
        path.unlink()


def carried_out(served: Served, other: str, *words: str) -> str:
    """What carrying out printed, after the administrator proposed and the other person approved."""
    ceremony = signed(served, "admin", *words).split()[-1]
    signed(served, other, "approve", ceremony)
    return served.run("keys", "carry-out", ceremony).decode()


def typed(served: Served) -> list[str]:
    """The options that name three of the five sheets, each in a file as it was printed."""
    printed = carried_out(served, "officer", "slot", "add", "recovery", "--root", "shamir")
    options = []
    for number, sheet in enumerate(re.findall(r"-----\n.*?-----", printed, re.DOTALL)[-THRESHOLD:]):
        path = served.folder / f"sheet-{number}"
        path.write_text(sheet, encoding="utf-8")
        options += ["--share-file", str(path)]
    return options


def lose_and_recover(served: Served) -> str:
    """Every step of the page; what `amanah keys status` says after it."""
    sheets = typed(served)
    served.stop()
    served.root.unlink()
    served.run("keys", "recover", "daily", *sheets)
    served.start()
    carried_out(served, "second_officer", "slot", "remove", "main")
    served.run("keys", "rotate")
    served.run("keys", "rewrap")
    carried_out(served, "officer", "retire", "--below", "2")
    served.run("log", "verify", "--deep")
    served.stop()
    served.start()
    return served.run("keys", "status").decode()


def main() -> int:
    """Run it in a throw-away folder; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder), None)
        served.found()
        served.start()
        try:
            served.store(served.fields(random.Random(1)))
            said = lose_and_recover(served)
        finally:
            served.stop()
    sys.stdout.write(said)
    return 0 if "Slot main" not in said and "Nothing is to be done." in said else 1


if __name__ == "__main__":
    sys.exit(main())
