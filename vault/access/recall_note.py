"""The message of a recall as it is sent, and how a recipient checks it without any vault: a signed note of ids and a word, and a moment.

Invariants: it holds no value, no name and no field; it is for one recipient, and good for five minutes, so that nobody who kept a copy says
it again later. Format: docs/spec/recall.md.
"""

import uuid
from dataclasses import dataclass
from typing import Final, cast, get_args

from keys.errors import Unopenable
from keys.notes import Signer, verify
from vault.access.recall_facts import RecallFact, What
from vault.errors import VaultError

HEAD: Final = "amanah-recall/1"
GOOD_FOR: Final = 300
"""Seconds before and after its moment in which a message is taken."""
LONGEST: Final = 4096
_LINES: Final = 8


class RecallRefused(VaultError):
    """A message that is none, is signed by nobody known, is another's, or is too old; the code says which."""

    code = "recall-malformed"


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says: which association tells, of which recall, what happened, to which record."""

    association: str
    recall: uuid.UUID
    what: What
    record: uuid.UUID


def written(recall: RecallFact, association: str, signer: Signer, now: int) -> str:
    """The message about a recall; `now` in seconds UTC."""
    ids = [str(uuid.UUID(recall.id)), recall.what, str(uuid.UUID(recall.record))]
    return signer.sign("\n".join((HEAD, association, recall.recipient, *ids, str(now), "")))


def read(note: str, vkey: str, recipient: str, now: int) -> Message:
    """The message this key signed for this recipient; `now` in seconds UTC. Whoever takes it keeps its id and acts upon it once.

    Raises RecallRefused: `recall-signature`, `recall-malformed`, `recall-recipient`, `recall-stale`.
    """
    if len(note) > LONGEST:
        raise RecallRefused
    try:
        lines = verify(note, vkey).split("\n")
    except Unopenable:
        raise RecallRefused("recall-signature") from None
    if len(lines) != _LINES or lines[0] != HEAD or lines[4] not in get_args(What):
        raise RecallRefused
    try:
        message = Message(lines[1], uuid.UUID(lines[3]), cast("What", lines[4]), uuid.UUID(lines[5]))
        moment = int(lines[6])
    except ValueError:
        raise RecallRefused from None
    if lines[2] != recipient:
        raise RecallRefused("recall-recipient")
    if abs(now - moment) > GOOD_FOR:
        raise RecallRefused("recall-stale")
    return message
