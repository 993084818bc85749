"""`amanah audit`: what the service says reaches a terminal as it stands, and nothing of it commands the terminal."""

import pytest

from vault.audit_cli import Answer, _print


@pytest.mark.parametrize(
    "purpose", ["[bold]a[/bold]", "[/]", "a\x1b[31mb\x9b0m", "\u202egnp.a", "[link=https://elsewhere.example]a[/link]"]
)
def test_no_cell_of_a_table_is_markup_or_a_word_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], purpose: str
):
    monkeypatch.setenv("COLUMNS", "200")
    entry = {"index": 7, "time": "2026-01-01T00:00:00Z", "actor": "system", "kind": "record.read", "outcome": "allow", "purpose": purpose}
    _print(Answer([{"entry": entry}], 8, "note\n", 0, None), "en")
    said = capsys.readouterr().out
    assert all(line.isprintable() for line in said.splitlines())
    assert "".join(sign if sign.isprintable() else "?" for sign in purpose) in said
