"""The locks pin everything by hash and name no address; the environment, the build and the Makefile go by them."""

import re
import tomllib

import pytest

import vault
from tests.house import tree

LOCKS = ["requirements.lock", "requirements-dev.lock"]
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)(?P<rest>[^\n]*(?:\n    --hash=sha256:[0-9a-f]{64}[ \\]*)+)$", re.MULTILINE)


def _read(name):
    return (tree.TREE / name).read_text(encoding="utf-8")


def _pins(name):
    return {found["name"]: found["version"] for found in PIN.finditer(_read(name))}


def _project():
    return tomllib.loads(_read("pyproject.toml"))


def _named(requirements):
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_belongs_to_a_pin_with_hashes(lock: str):
    assert PIN.sub("", _read(lock)).strip() == ""
    assert len(_pins(lock)) > 20


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_address(lock: str):
    assert re.findall(r"://| @ |^-", _read(lock), re.MULTILINE) == []


def test_tests_run_with_what_is_shipped():
    shipped, tested = (_pins(lock) for lock in LOCKS)
    assert {name: version for name, version in shipped.items() if tested.get(name) != version} == {}


def test_every_dependency_is_locked():
    project = _project()
    assert _named(project["project"]["dependencies"]) <= _pins("requirements.lock").keys()
    assert _named(project["dependency-groups"]["dev"]) <= _pins("requirements-dev.lock").keys()


def test_every_dependency_is_bounded_from_below():
    project = _project()
    everything = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    assert [requirement for requirement in everything if ">=" not in requirement] == []


def test_the_version_is_told_in_one_place():
    assert _project()["tool"]["hatch"]["version"]["path"] == "vault/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", vault.__version__)


def test_the_makefile_has_the_targets_of_the_contract():
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.MULTILINE))
    assert {"setup", "run", "test", "check", "fix", "bench", "bench-large", "soak"} <= targets


@pytest.mark.parametrize("target", ["run", "test", "check", "fix", "bench", "bench-large", "soak", "lock"])
def test_no_target_needs_a_second_command(target: str):
    assert re.search(rf"^{target}: setup\b", _read("Makefile"), re.MULTILINE)


def test_every_rule_is_on_and_what_is_off_says_why():
    text, lint = _read("pyproject.toml"), _project()["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    (ignored,) = re.findall(r"^ignore = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert [line for line in ignored.splitlines() if " # " not in line] == []
