"""`python -m tests.backup.mortal MOMENT COUNT backup|restore …`: the vault's command line, killed by SIGKILL at the COUNT-th such moment.

Nothing of the vault is changed but for the stroke. Of a backup: `frame` after a frame was sealed and loaded, `proven` after the proof,
`part` when all files lie there unnamed, `named` after the folder has its name and before the log is told. Of a restore: `marker` before the
first row, `loaded` after some rows, `deed` after some deed, `commit` when all is written and not committed, `committed` after the commit,
`outside` when the new checkpoint is outside and the marker stands.
"""

import sys
from pathlib import Path

from tests.access.mortal import Stroke, before, behind
from vault.access_log.checkpoint import Checkpointer
from vault.backup import restoring, taking
from vault.backup.closing_again import Work
from vault.backup.loading import Loader
from vault.cli import main
from vault.rulebook.association import Association

OF_BACKUP = ("frame", "proven", "part", "named")
OF_RESTORE = ("marker", "loaded", "deed", "commit", "committed", "outside")


def always(*_: object) -> bool:
    return True


def arm(moment: str, stroke: Stroke) -> None:
    """Put the stroke where the moment is."""
    match moment:
        case "frame" | "loaded":
            Loader.take = behind(Loader.take, stroke, always)  # type: ignore[method-assign]
        case "proven":
            taking._Making.run = behind(taking._Making.run, stroke, always)  # type: ignore[method-assign]
        case "part":
            Path.rename = before(Path.rename, stroke, always)  # type: ignore[method-assign]
        case "named":
            Path.rename = behind(Path.rename, stroke, always)  # type: ignore[method-assign]
        case "marker":
            restoring._Restoring._load = before(restoring._Restoring._load, stroke, always)  # type: ignore[method-assign]
        case "deed":
            Work.deed = behind(Work.deed, stroke, always)  # type: ignore[method-assign]
        case "commit":
            restoring._Restoring._go_on = behind(restoring._Restoring._go_on, stroke, always)  # type: ignore[method-assign]
        case "committed":
            Checkpointer.anew = before(Checkpointer.anew, stroke, always)  # type: ignore[method-assign]
        case "outside":
            Association.note_journal = behind(Association.note_journal, stroke, always)  # type: ignore[method-assign]
        case _:
            raise ValueError(moment)


if __name__ == "__main__":
    arm(sys.argv[1], Stroke(int(sys.argv[2])))
    del sys.argv[1:3]
    main()
