"""`python -m tests.custody.mortal COUNT keys carry-out …` (or `recover`): the vault's own command, killed by SIGKILL at its COUNT-th step.

Steps are counted from where it knows what to do, before a new root is made, to where that has been done. A step is a call of a function of
the vault or its keys, or of the system's own (open, write, fsync, rename). With COUNT 0 it lives, and says on the error output how many
steps there are.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from keys.roots import shamir
from vault.cli import main
from vault.custody import carrying_out

TREE = str(Path(__file__).parents[2])
OURS = (f"{TREE}/vault/", f"{TREE}/keys/")


def arm(count: int) -> list[int]:
    """Count steps from the beginning to the end of what is to be done, and fall at this one; the list holds how many there were."""
    steps = [0]

    def step(frame: Any, event: str, argument: Any) -> None:
        ours = event == "call" and frame.f_code.co_filename.startswith(OURS)
        if ours or (event == "c_call" and getattr(argument, "__module__", "") == "posix"):
            steps[0] += 1
            if steps[0] == count:
                os.kill(os.getpid(), signal.SIGKILL)

    def begins(real: Any) -> Any:
        def begun(*arguments: Any) -> Any:
            sys.setprofile(step)
            return real(*arguments)

        return begun

    def ends(real: Any) -> Any:
        def ended(*arguments: Any) -> Any:
            try:
                return real(*arguments)
            finally:
                sys.setprofile(None)

        return ended

    for module, name, struck in (
        (carrying_out, "approved", begins),
        (shamir, "combined", begins),
        (carrying_out, "carry_out", ends),
        (carrying_out, "recover", ends),
    ):
        setattr(module, name, struck(getattr(module, name)))
    return steps


if __name__ == "__main__":
    taken = arm(int(sys.argv[1]))
    del sys.argv[1]
    try:
        main()
    finally:
        sys.stderr.write(f"\nsteps {taken[0]}\n")
