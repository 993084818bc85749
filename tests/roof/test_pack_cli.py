"""`amanah pack`: the packs that ship, and what a bad one is told."""

import re
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from vault.pack_cli import pack
from vault.policy.pack import names

FOLDER = resources.files("vault.policy.packs")


@pytest.mark.parametrize("language", ["ar", "en"])
def test_every_pack_that_ships_is_listed_and_holds(tmp_path: Path, language: str):
    told = CliRunner().invoke(pack, ["list", "--lang", language]).output
    assert [line.split()[0] for line in told.splitlines()] == list(names())
    for name in names():
        (tmp_path / f"{name}.toml").write_bytes(FOLDER.joinpath(f"{name}.toml").read_bytes())
        said = CliRunner().invoke(pack, ["lint", str(tmp_path / f"{name}.toml"), "--lang", language])
        assert (said.exit_code, name in said.output) == (0, True)


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_bad_pack_is_told_where_and_why_in_one_line(tmp_path: Path, language: str):
    file = tmp_path / "own.toml"
    text = FOLDER.joinpath("cooperative.toml").read_text(encoding="utf-8")
    file.write_text(text.replace('forms = ["written"]\narticle = "6.2"', 'forms = ["spoken"]\narticle = "6.2"'), encoding="utf-8")
    said = CliRunner().invoke(pack, ["lint", str(file), "--lang", language])
    assert (said.exit_code, said.output.count("\n")) == (1, 1)
    assert said.output.startswith("amanah: purposes.partner_sharing.forms: unknown-word: ")
    file.write_bytes(b"\xff")
    assert "own.toml: not-toml" in CliRunner().invoke(pack, ["lint", str(file), "--lang", language]).output
    assert "FileNotFoundError" in CliRunner().invoke(pack, ["lint", str(tmp_path / "none.toml")]).output


def test_every_code_of_a_refusal_has_its_sentence():
    sources = [Path(f"vault/policy/{name}.py").read_text(encoding="utf-8") for name in ("pack_file", "overlay", "reader", "pack", "floor")]
    codes = {code for source in sources for code in re.findall(r'(?:PackRefused|_no_longer)\([^)]*"([a-z-]+)"\)', source)} | {"too-long"}
    words = Path("vault/pack_words.toml").read_text(encoding="utf-8")
    assert len(codes) > 12
    assert {code for code in codes if f"\n{code.replace('-', '_')} = " not in words} == set()


def test_a_pack_is_judged_whole_or_not_at_all(tmp_path: Path):
    text = FOLDER.joinpath("cooperative.toml").read_text(encoding="utf-8")
    file = tmp_path / "own.toml"
    file.write_text(f"{text}#{' ' * (1024 * 1024 - len(text) - 1)}", encoding="utf-8")
    assert CliRunner().invoke(pack, ["lint", str(file)]).exit_code == 0
    with file.open("a", encoding="utf-8") as out:
        out.write('\n[purposes.sold]\naction = "sell"\n')
    said = CliRunner().invoke(pack, ["lint", str(file)])
    assert (said.exit_code, said.output) == (1, "amanah: own.toml: too-long: The file is too long for a pack.\n")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, '"\\u001b[31m\\u202e" = 1'])
def test_what_a_bad_pack_holds_neither_breaks_the_command_nor_reaches_the_terminal(tmp_path: Path, text: str):
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    said = CliRunner().invoke(pack, ["lint", str(file)])
    assert (said.exit_code, said.output.count("\n")) == (1, 1)
    assert said.output.removesuffix("\n").isprintable()
