"""Whatever the command and whichever the worker: a process that may open keys leaves no core dump."""

import subprocess
import sys

import pytest

_ENDS = """
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
_WAYS = {
    "any command": """
from click.testing import CliRunner
from vault.cli import main
CliRunner().invoke(main, ["package", "verify", "none"])
""",
    "a worker": """
from contextlib import suppress
from vault import serving
with suppress(Exception):
    serving.create()
""",
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_DUMPABLE")
@pytest.mark.parametrize("way", _WAYS)
def test_attack_45_a_process_that_may_open_keys_leaves_no_core_dump(way: str, tmp_path: object):
    environment = {"AMANAH_DATA_DIR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", _WAYS[way] + _ENDS], env=environment, capture_output=True, text=True, check=False)
    assert said.stdout == "(0, 0) 0\n", said.stderr
