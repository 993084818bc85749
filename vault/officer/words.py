"""What the log writes in codes, in words: kinds of entries, answers, reasons; a test demands one for every kind the vault writes."""

import tomllib
from importlib.resources import files
from typing import Final

import msgspec

from vault.web.problems import SENTENCES, Sentence

KINDS: Final[dict[str, Sentence]] = msgspec.convert(
    tomllib.loads(files("vault.officer").joinpath("pages", "kinds.toml").read_text(encoding="utf-8")), dict[str, Sentence]
)
OUTCOMES: Final = {
    "allow": Sentence("سُمح", "allowed"),
    "refuse": Sentence("رُفض", "refused"),
    "error": Sentence("إنذار", "alarm"),
}


def reason_word(code: str, language: str) -> str:
    """A reason of the log by the title of its problem document, as it is where there is none."""
    words = SENTENCES.get(code.lower().replace("_", "-"))
    return code if words is None else words.title.in_language(language)
