"""The walls that import contracts cannot express: who may import what from outside, and the one door to plaintext."""

import ast
import sys
from pathlib import Path

import pytest

from tests.house import tree

ROOF = {
    *("backup_cli.py", "calls.py", "checkpoint_mail.py", "commands.py", "keys_cli.py", "unsealing.py"),
    *("mail_cli.py", "mail_dns.py", "mail_intake.py", "mail_settings.py", "notice_mail.py", "notifying.py", "smtp.py"),
    *("recalling.py", "webhooks.py"),
    *(
        "app.py",
        "calling.py",
        "cli.py",
        "package_cli.py",
        "package_fetch.py",
        "audit_cli.py",
        "pack_cli.py",
        "receipt_cli.py",
        "reports_cli.py",
        "reports_tables.py",
        "settings.py",
        "serving.py",
        "examining.py",
        "reclosing.py",
        "__main__.py",
    ),
}
DOOR = Path("vault/access/door.py")
LETTERS = Path("vault/breach_reports/door.py")


def _may_import_litestar(path: Path) -> bool:
    return path.name == "api.py" or path.is_relative_to("vault/web") or path.is_relative_to("vault/demo") or path.parent == Path("vault")


def test_policy_needs_nothing_but_the_standard_library():
    allowed = {"vault"} | sys.stdlib_module_names
    assert {
        (str(path), *sorted(tree.tops(module) - allowed)) for path, module in tree.modules("vault/policy") if tree.tops(module) - allowed
    } == set()


def test_policy_needs_no_other_room():
    others = {
        (str(path), name)
        for path, module in tree.modules("vault/policy")
        for name in tree.imported(module)
        if name.startswith("vault.") and not name.startswith("vault.policy")
    }
    assert others == set()


def test_policy_neither_asks_the_clock_nor_chance_nor_the_network():
    worldly = {"time", "random", "secrets", "socket", "os", "sqlite3", "subprocess", "asyncio", "urllib", "http"}
    assert {
        (str(path), *sorted(tree.tops(module) & worldly)) for path, module in tree.modules("vault/policy") if tree.tops(module) & worldly
    } == set()


def test_litestar_stays_at_the_front():
    strays = [
        str(path) for path, module in tree.modules("vault", "keys") if "litestar" in tree.tops(module) and not _may_import_litestar(path)
    ]
    assert strays == []


def test_only_keys_imports_what_encrypts():
    secret = {"cryptography", "argon2", "pyotp"}
    assert [str(path) for path, module in tree.modules("vault") if tree.tops(module) & secret] == []


def test_the_roof_is_the_only_file_of_its_floor():
    lone = {path.name for path, _ in tree.modules("vault") if path.parent == Path("vault")}
    assert lone <= ROOF | {"__init__.py", "errors.py"}


def test_cells_are_opened_at_one_door():
    assert [str(path) for path, module in tree.modules("vault") if path != DOOR and tree.mentions(module, "open_cells")] == []


def test_values_are_opened_to_make_tokens_of_at_two_places():
    takers = {
        str(path)
        for path, module in tree.modules("vault")
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "keys.container" and any(each.name == "found_by" for each in node.names)
    }
    assert takers == {"vault/records/refinding.py", "vault/access/silences.py"}


def test_scans_are_opened_at_the_same_door():
    assert [
        str(path) for path, module in tree.modules("vault") if path not in (DOOR, LETTERS) and tree.mentions(module, "open_attachment")
    ] == []


def test_what_opens_the_chunks_of_a_scan_is_made_against_a_receipt_alone():
    makers = [str(path) for path, module in tree.modules("vault", "keys") if tree.constructions(module, "Opener")]
    assert makers == ["keys/attachments.py"]


def test_what_reporters_wrote_is_opened_at_one_door():
    assert [str(path) for path, module in tree.modules("vault") if path != LETTERS and tree.mentions(module, "open_parts")] == []


def test_only_the_access_log_makes_a_receipt():
    makers = [str(path) for path, module in tree.modules("vault", "keys") if tree.constructions(module, "Receipt")]
    assert [path for path in makers if not path.startswith("vault/access_log/")] == []


@pytest.mark.parametrize(
    "code",
    [
        "from keys.container import open_cells",
        "container.open_cells(r, k, s)",
        "x = open_cells",
        "from keys.container import open_cells as o",
    ],
)
def test_another_door_would_be_found(code: str):
    assert tree.mentions(ast.parse(code), "open_cells") == [1]


@pytest.mark.parametrize("code", ["Receipt(1)", "receipt.Receipt(1)", "from keys.receipt import Receipt as Word"])
def test_a_forged_receipt_would_be_found(code: str):
    assert tree.constructions(ast.parse(code), "Receipt") == [1]
    assert tree.constructions(ast.parse("def read(receipt: Receipt) -> None: ..."), "Receipt") == []


def test_an_import_inside_a_function_is_seen():
    assert tree.tops(ast.parse("def f():\n    from litestar.di import Provide\n    import pyotp.totp")) == {"litestar", "pyotp"}
