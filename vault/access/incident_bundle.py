"""An incident as one file to hand over: a plain archive whose manifest is signed, and how its holder checks it without the vault.

Invariants: every file stands in the manifest with its hash and nothing else is in the archive; the same content gives the same bytes, since
nothing in it tells when it was made; nothing of it is written to a disk of ours. Format: docs/spec/incident-export.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from keys.bundles import bundle, sums, unbundled
from keys.errors import Unopenable, Unsealable
from keys.notes import Signer, verify
from vault.access import incident_export
from vault.access.incident_export import Exporting
from vault.access.proof_bundle import ProofRefused
from vault.access_log import tlog_proof
from vault.breach_reports.evidence_facts import EvidenceFact, EvidencePage
from vault.errors import FieldError, Invalid
from vault.web.call import write_id
from vault.web.paper import LONE, Pages
from vault.web.times import in_words

_HEAD: Final = "amanah incident export 1"
MANIFEST: Final = "manifest.txt"
CONTENT: Final = "incident.json"
MOST_PROOFS: Final = 2_000
"""Entries of one piece of evidence that come with bytes and proof; of the others number and leaf hash are there."""
_PAGES: Final = Pages("vault.access")
_LANGUAGES: Final[tuple[Literal["ar", "en"], ...]] = ("ar", "en")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proofs:
    """The entries of one piece of evidence as they lie in the log, and the audit path of each under its checkpoint."""

    bodies: Mapping[int, bytes]
    paths: Mapping[int, list[bytes]]


@dataclass(frozen=True, slots=True)
class Names:
    """How the association is called, by language, and its code."""

    code: str
    by_language: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file holds, once it was checked: the incident's reference and state, its evidence, and how many entries are proven."""

    reference: str
    state: str
    evidence: int
    entries: int


def rows(pages: Sequence[EvidencePage]) -> list[tuple[int, str]]:
    """The entries of a piece of evidence that come with their proof, ascending: number and leaf hash."""
    return sorted({row for page in pages for person in page.people for row in person.rows})[:MOST_PROOFS]


def written(exporting: Exporting, proofs: Mapping[str, Proofs], names: Names, signer: Signer) -> bytes:
    """The file; `proofs` by the ids of the evidence. Opens the incident's words. Raises Unavailable, Invalid for more than a file holds."""
    told = incident_export.told(exporting)
    files = dict(_files(exporting, told, proofs, names))
    note = signer.sign(f"{_HEAD}\n{sums(files).decode()}")
    try:
        return bundle({**files, MANIFEST: note.encode()})
    except Unsealable:
        raise Invalid([FieldError("incident", "out-of-range")]) from None


def _files(exporting: Exporting, told: Json, proofs: Mapping[str, Proofs], names: Names) -> Iterator[tuple[str, bytes]]:
    yield CONTENT, _pretty({"association": names.code, **told})
    for language in _LANGUAGES:
        yield f"page.{language}.html", _page(exporting, told, names, language).encode()
    for one, pages in exporting.evidence:
        name = f"evidence-{write_id(bytes.fromhex(one.fact.id))}"
        yield f"{name}.people.json", _pretty(incident_export.people(pages))
        yield f"{name}.checkpoint", one.fact.note.encode()
        yield f"{name}.entries.jsonl", _entries(one.fact, proofs[one.fact.id])


def _entries(fact: EvidenceFact, proofs: Proofs) -> bytes:
    """A line for each entry: its number, its bytes as they were hashed, and its proof in the format of C2SP."""
    lines = [
        msgspec.json.encode(
            {"index": number, "entry": body.decode("ascii"), "proof": tlog_proof.written(number, proofs.paths[number], fact.note)}
        )
        for number, body in sorted(proofs.bodies.items())
    ]
    return b"".join(line + b"\n" for line in lines)


def _page(exporting: Exporting, told: Json, names: Names, language: Literal["ar", "en"]) -> str:
    def time(text: str) -> str:
        return in_words(datetime.fromisoformat(text), language)

    return _PAGES.page(
        "incident.html",
        language,
        name=names.by_language.get(language, names.code),
        other=f"page.{'ar' if language == 'en' else 'en'}.html",
        policy=LONE,
        told=told["incident"],
        events=incident_export.events(told["incident"]),
        reports=told["reports"],
        authority_notices=told["authority_notices"],
        people_notices=told["people_notices"],
        evidence=told["evidence"],
        categories={code: text.en if language == "en" else text.ar for code, text in exporting.categories.items()},
        time=time,
    )


def checked(content: bytes, vkey: str) -> Checked:
    """What a file holds, for a holder of the association's key.

    Raises ProofRefused: `proof-malformed` (no such archive, or a file in it is another than its digest says), `proof-signature` (the
    manifest), `proof-altered` (its list is another), `proof-unproven` (an entry is not in the log that was signed).
    """
    try:
        files = unbundled(content)
        note = files.pop(MANIFEST).decode()
    except (Unopenable, KeyError, UnicodeDecodeError):
        raise ProofRefused from None
    try:
        told = verify(note, vkey)
    except Unopenable:
        raise ProofRefused("proof-signature", MANIFEST) from None
    if told != f"{_HEAD}\n{sums(files).decode()}":
        raise ProofRefused("proof-altered", MANIFEST)
    proven = sum(_proven(name, files, vkey) for name in files if name.endswith(".entries.jsonl"))
    held = msgspec.json.decode(files[CONTENT])
    return Checked(held["incident"]["reference"], held["incident"]["state"], len(held["evidence"]), proven)


def _proven(name: str, files: Mapping[str, bytes], vkey: str) -> int:
    """How many entries of a piece of evidence are proven: all there are."""
    checkpoint = files[f"{name.removesuffix('.entries.jsonl')}.checkpoint"].decode()
    lines = [msgspec.json.decode(line) for line in files[name].splitlines()]
    for line in lines:
        if not line["proof"].endswith(checkpoint) or not tlog_proof.proves(line["proof"], line["entry"].encode(), vkey):
            raise ProofRefused("proof-unproven", name)
    return len(lines)


def _pretty(value: Json | list[Json]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1) + b"\n"
