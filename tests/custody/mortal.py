"""`python -m tests.custody.mortal COUNT keys carry-out …`: the vault's own command, killed by SIGKILL at its COUNT-th step of carrying out.

A step is a call of a function of the vault or its keys, or of the system's own (open, write, fsync, rename). With COUNT 0 it lives, and
says on the error output how many steps there are.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from vault.cli import main
from vault.custody import carrying_out

TREE = str(Path(__file__).parents[2])
OURS = (f"{TREE}/vault/", f"{TREE}/keys/")
_real = carrying_out.carry_out


def arm(count: int) -> list[int]:
    """Count steps from the beginning of carrying out, and fall at this one; the list holds how many there were."""
    steps = [0]

    def step(frame: Any, event: str, argument: Any) -> None:
        ours = event == "call" and frame.f_code.co_filename.startswith(OURS)
        if ours or (event == "c_call" and getattr(argument, "__module__", "") == "posix"):
            steps[0] += 1
            if steps[0] == count:
                os.kill(os.getpid(), signal.SIGKILL)

    def struck(*arguments: Any) -> Any:
        sys.setprofile(step)
        try:
            return _real(*arguments)
        finally:
            sys.setprofile(None)

    carrying_out.carry_out = struck  # type: ignore[assignment]  # the same, struck
    return steps


if __name__ == "__main__":
    taken = arm(int(sys.argv[1]))
    del sys.argv[1]
    try:
        main()
    finally:
        sys.stderr.write(f"\nsteps {taken[0]}\n")
