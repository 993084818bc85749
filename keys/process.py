"""What a process that opens keys does to itself: it leaves no core dump, and no other process of its user reads its memory.

On Linux both; elsewhere the limit on core dumps alone. The kernel forgets the second with every `exec`, so each process says it anew.
"""

import ctypes
import resource
import sys

_SET_DUMPABLE = 4  # PR_SET_DUMPABLE, linux/prctl.h


def shut() -> None:
    """Forbid core dumps and being traced, for this process until its end. OSError if the kernel refuses."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        if library.prctl(_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
