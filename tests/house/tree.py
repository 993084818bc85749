"""The files of this repository as house tests look at them, and what they look for.

Every search is a function from a text to what offends in it, so that a test can show it a sample that must be found.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).parents[2]
BUILT = {".git", ".venv", "build", "dist", "mutants", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}

# Spelt in pieces: this file is searched too.
MACHINE = re.compile(r"(?<![\w.<>~})-])/(?:" + "work|root|tmp|home|Users|opt/wheels" + r")(?=[/\s\"'`)]|$)")
REGISTRIES = re.compile(
    "|".join(("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)", "yarnpkg" + r"\.com", r"proxy\.golang" + r"\.org"))
    + "|(?:static|index)"
    + r"\.crates\.io|--(?:extra-)?"
    + "index-url",
    re.IGNORECASE,
)
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b|pragma: no " + "cover")
SWALLOWED = {"Exception", "BaseException"}


def files() -> list[Path]:
    """Returns the files of the repository, tracked or about to be, relative to the tree; without git, all that no tool has built."""
    if (TREE / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TREE, check=True, capture_output=True, text=True
        ).stdout
        found = {Path(name) for name in listed.split("\0") if name}
    else:
        found = {path.relative_to(TREE) for path in TREE.rglob("*")}
    return sorted(path for path in found if (TREE / path).is_file() and not BUILT.intersection(path.parts))


def texts() -> Iterator[tuple[Path, str]]:
    """Yields path and content of every file of the repository that is UTF-8 text."""
    for path in files():
        try:
            yield path, (TREE / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules(*under: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yields path and syntax tree of every Python file below one of the folders."""
    for path, text in texts():
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in under):
            yield path, ast.parse(text, filename=str(path))


def lines_with(pattern: re.Pattern[str], text: str) -> list[int]:
    """Returns the numbers, from 1, of the lines in which the pattern is found."""
    return [number for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def imported(module: ast.AST) -> set[str]:
    """Returns the dotted names a module imports, those inside functions too; of `from a import b` both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def tops(module: ast.AST) -> set[str]:
    """Returns the first part of every name a module imports."""
    return {name.partition(".")[0] for name in imported(module)}


def swallowed(module: ast.AST) -> list[int]:
    """Returns the lines where an error is caught and nothing is done: an empty handler, or everything suppressed."""
    handlers = [node for node in ast.walk(module) if isinstance(node, ast.ExceptHandler)]
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    empty = [handler.lineno for handler in handlers if all(_says_nothing(statement) for statement in handler.body)]
    return sorted(
        empty + [call.lineno for call in calls if called(call) == "suppress" and any(_name(one) in SWALLOWED for one in call.args)]
    )


def called(node: ast.Call) -> str:
    """Returns the last part of the name a call goes to, or the empty string."""
    return _name(node.func)


def mentions(module: ast.AST, name: str) -> list[int]:
    """Returns the lines that use a name, import it or read it as an attribute."""
    return sorted(
        node.lineno
        for node in ast.walk(module)
        if (isinstance(node, ast.Name | ast.Attribute) and _name(node) == name)
        or (isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names))
    )


def constructions(module: ast.AST, name: str) -> list[int]:
    """Returns the lines that call a name, or rename it on import, behind which a call could hide."""
    return sorted(
        node.lineno
        for node in ast.walk(module)
        if (isinstance(node, ast.Call) and called(node) == name)
        or (isinstance(node, ast.ImportFrom) and any(alias.name == name and alias.asname not in {None, name} for alias in node.names))
    )


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
