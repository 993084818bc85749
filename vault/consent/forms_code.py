"""The code of a printed form, as it stands in the form's QR code and in a consent's evidence: which notice it shows, in which language.

Invariants: a code holds nothing of a person; one that begins as ours and is not whole is refused and never taken for a form of the
association's own. Format: docs/spec/consent-form.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault.errors import FieldError, Invalid
from vault.rulebook.shapes import NoticeFact
from vault.web.call import write_id

OURS: Final = "amanah:form:"
TEMPLATE: Final = f"{OURS}1"
"""The id of the one template there is; another arrangement of the sheet that says other things is another number."""
SHORT: Final = 16
"""Hexadecimal digits of the hash that stand beside the QR code, for whoever has no scanner."""
_CODE: Final = re.compile(
    r"amanah:form:1:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,2}):(ar|en):([0-9a-f]{64}|[0-9a-f]{16})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class FormCode:
    """What a code says: notice as it travels, version, language, and SHA-256 of the text or its first digits, in hexadecimal."""

    notice: str
    version: int
    language: str
    sha256: str

    @property
    def text(self) -> str:
        """The code as it is printed."""
        return f"{TEMPLATE}:{self.notice}:{self.version}:{self.language}:{self.sha256}"


def code_of(notice: NoticeFact, language: str) -> FormCode:
    """The code of the form that shows this version in this language."""
    return FormCode(write_id(bytes.fromhex(notice.id)), notice.version, language, notice.sha256[language])


def read(text: str) -> FormCode:
    """What a code says. Raises ValueError where it is none."""
    found = _CODE.fullmatch(text)
    if found is None:
        raise ValueError
    return FormCode(found[1], int(found[2]), found[3], found[4])


def is_ours(template: str) -> bool:
    """Whether the template that evidence names claims to be a form we printed; every other is one of the association's own."""
    return template.startswith(OURS)


def require_same(evidence: Mapping[str, Any], notice: NoticeFact, language: str) -> None:
    """Raise Invalid where written evidence names a form of ours: `evidence-malformed` for no whole code, `form-mismatch` for another's."""
    template = str(evidence.get("template", ""))
    if not is_ours(template):
        return
    try:
        said = read(template)
    except ValueError as error:
        raise Invalid([FieldError("evidence.template", "evidence-malformed")], "evidence-malformed") from error
    here = code_of(notice, language)
    if (said.notice, said.version, said.language) != (here.notice, here.version, language) or not here.sha256.startswith(said.sha256):
        raise Invalid([FieldError("evidence.template", "form-mismatch")], "form-mismatch")
