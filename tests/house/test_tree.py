"""What no file of the repository may hold, and what some must."""

import ast
import re

import pytest

from tests.house import tree


def _where(found):
    return [f"{path}:{line}" for path, lines in found for line in lines]


def test_no_file_names_a_place_on_somebodys_machine():
    assert _where((path, tree.lines_with(tree.MACHINE, text)) for path, text in tree.texts()) == []


def test_no_file_names_a_package_registry():
    assert _where((path, tree.lines_with(tree.REGISTRIES, text)) for path, text in tree.texts()) == []


def test_nothing_is_left_unfinished():
    code = ((path, text) for path, text in tree.texts() if path.suffix in {".py", ".html", ".toml", ".sql"})
    assert _where((path, tree.lines_with(tree.UNFINISHED, text)) for path, text in code) == []


def test_no_error_is_swallowed():
    assert _where((path, tree.swallowed(module)) for path, module in tree.modules("vault", "keys")) == []


def test_no_pattern_of_a_body_lets_a_line_end_follow():
    """`$` also matches before a last newline: a pattern that a value is held against ends in the end of the text."""
    found = []
    for path, module in tree.modules("vault", "keys"):
        given = [
            keyword.value
            for node in ast.walk(module)
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg == "pattern"
        ]
        loose = [value for value in given if not (isinstance(value, ast.Constant) and str(value.value).endswith(r"\Z"))]
        found += [f"{path}:{value.lineno}" for value in loose]
    assert found == []


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in tree.files() if path.suffix == ".py" and path.is_relative_to("tests")}
    assert [folder for folder in sorted(folders) if not (tree.TREE / folder / "__init__.py").exists()] == []


def test_every_skip_says_why():
    bare = []
    for path, module in tree.modules("tests"):
        calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
        bare += [f"{path}:{c.lineno}" for c in calls if tree.called(c) == "skip" and not c.args and not c.keywords]
        bare += [f"{path}:{c.lineno}" for c in calls if tree.called(c) == "skipif" and "reason" not in {k.arg for k in c.keywords}]
    assert bare == []


ROOT = "/" + "root"


@pytest.mark.parametrize("text", ["see " + ROOT + "/x", '"/' + 'tmp"', "(/" + "work/main)", ROOT, "`/" + "home/someone`"])
def test_a_place_on_a_machine_is_found(text: str):
    assert tree.lines_with(tree.MACHINE, "first\n" + text) == [2]


@pytest.mark.parametrize(
    "text", ["~/.config/amanah/<association>" + ROOT, "GET /homes", "a/" + "tmp_path", "docs/" + "work", "/v1/records"]
)
def test_a_path_of_the_product_is_no_place_on_a_machine(text: str):
    assert tree.lines_with(tree.MACHINE, text) == []


@pytest.mark.parametrize("text", ["https://" + "PyPI" + ".org/simple", "pip --extra-" + "index-url x", "files.python" + "hosted.org"])
def test_a_registry_is_found(text: str):
    assert tree.lines_with(tree.REGISTRIES, text) == [1]


@pytest.mark.parametrize("text", ["# TO" + "DO: later", "raise NotImplemented" + "Error", "x = 1  # pragma: no " + "cover"])
def test_what_is_unfinished_is_found(text: str):
    assert tree.lines_with(tree.UNFINISHED, text) == [1]


@pytest.mark.parametrize("body", ["pass", "...", '"never mind"'])
def test_a_swallowed_error_is_found(body: str):
    assert tree.swallowed(ast.parse(f"try:\n    x()\nexcept KeyError:\n    {body}")) == [3]
    assert tree.swallowed(ast.parse("with contextlib.suppress(Exception):\n    x()")) == [1]
    assert tree.swallowed(ast.parse("try:\n    x()\nexcept KeyError:\n    y = None")) == []


def test_the_documents_a_stranger_looks_for_are_there():
    present = {str(path) for path in tree.files()}
    assert {"LICENSE", "SECURITY.md", "CHANGELOG.md", "Makefile", ".ci/run", ".ci/packages", "requirements.lock"} <= present


def test_the_changelog_follows_its_form():
    text = (tree.TREE / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
