"""`python -m tests.access.mortal MOMENT COUNT serve …`: the vault's own command line, killed by SIGKILL at the COUNT-th such moment.

Nothing of the vault is changed but for the stroke: `begin` falls after the head was read, `insert` after the entries went in, `commit` when
all is written and not committed, `committed` after the commit before anybody hears of it, `answer` when the answers are made and not sent.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from vault.access_log import tables
from vault.access_log.deed import Deed
from vault.access_log.log import AccessLog
from vault.cli import main
from vault.storage.group_commit import GroupCommit
from vault.storage.transaction import Hot

MOMENTS = ("begin", "insert", "commit", "committed", "answer")


class Stroke:
    """Falls the `count`-th time it is raised."""

    def __init__(self, count: int) -> None:
        """Count down from there."""
        self.left = count

    def __call__(self) -> None:
        """Kill this process, if its time has come."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def behind(function: Callable[..., Any], stroke: Stroke, when: Callable[..., bool]) -> Callable[..., Any]:
    """The function with the stroke behind it."""

    def struck(*arguments: Any) -> Any:
        counts = when(*arguments)
        result = function(*arguments)
        if counts:
            stroke()
        return result

    return struck


def before(function: Callable[..., Any], stroke: Stroke, when: Callable[..., bool]) -> Callable[..., Any]:
    """The function with the stroke before it."""

    def struck(*arguments: Any) -> Any:
        if when(*arguments):
            stroke()
        return function(*arguments)

    return struck


def arm(moment: str, stroke: Stroke) -> None:
    """Put the stroke where the moment is."""
    match moment:
        case "begin":
            AccessLog.begin = behind(AccessLog.begin, stroke, lambda *_: True)  # type: ignore[method-assign]
        case "insert":
            Hot.run = behind(Hot.run, stroke, lambda statement, *_: statement is tables.ADD_ENTRY)  # type: ignore[method-assign]
        case "commit":
            Deed.close = behind(Deed.close, stroke, lambda deed: deed.size > deed.base)  # type: ignore[method-assign]
        case "committed":
            Deed.commit_seen = before(Deed.commit_seen, stroke, lambda deed: deed.size > deed.base)  # type: ignore[method-assign]
        case "answer":
            GroupCommit._answer = behind(GroupCommit._answer, stroke, lambda *_: True)  # type: ignore[method-assign]
        case _:
            raise ValueError(moment)


if __name__ == "__main__":
    arm(sys.argv[1], Stroke(int(sys.argv[2])))
    del sys.argv[1:3]
    main()
