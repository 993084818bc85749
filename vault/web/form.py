"""What a form may hold, as a route declares it, and what came in.

Invariants: the set of names is closed and each has a limit in bytes; text holds no NUL and no control character but tab and line feed
(others become spaces); a file is never laid down anywhere by the front, it goes to the controller piece by piece; a form that people fill
in by hand is kept as far as it came, so that its page can give it back.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
PIECES = 256 * 1024
"""Bytes of files that a controller gathers before it lays them down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields of a form body.

    `fields`: each text field's name and its limit in bytes of UTF-8. `file`: the name of the parts that are files, at most `most`, "" where
    there is none; with one, multipart is the only form taken. `seconds`: how long the whole body may take to arrive. The route's `max_body`
    bounds the sum. `keeps`: texts too long for their limits are kept whole, a body too long is kept as far as it may come
    (`Filled.is_cut`), and NUL becomes a space: the controller says what is wrong. Beside files it keeps `texts` bytes of all texts
    together, takes both encodings, and leaves it to the controller to count the files.

    Raises ValueError where the file's name is a field's too, or texts are kept beside files without an end.
    """

    fields: Mapping[str, int] = field(default_factory=dict)
    file: str = ""
    most: int = 1
    texts: int = 0
    seconds: float = 30.0
    keeps: bool = False

    def __post_init__(self) -> None:
        """Refuse a declaration that cannot hold."""
        if self.file in self.fields or not (self.fields or self.file) or bool(self.file and self.keeps) != bool(self.texts):
            raise ValueError("a form's names")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Tell the media types that are taken."""
        return (MULTIPART,) if self.file and not self.keeps else (URLENCODED, MULTIPART)

    @property
    def held(self) -> int:
        """Tell how many bytes of a body with files are in memory at once: its texts, and the pieces on their way."""
        return self.texts + PIECES


class Upload:
    """The file of a multipart body, piece by piece as it arrives; to be iterated once.

    The iteration ends only when all that follows the file was read and holds, else it raises Malformed or Disconnected: nothing made of the
    pieces is final before. `media_type` and `filename` are what the sender says, "" where it says nothing; such a name may be personal.
    """

    __slots__ = ("_pieces", "filename", "media_type")

    def __init__(self, pieces: AsyncIterator[bytes], media_type: str, filename: str) -> None:
        self._pieces = pieces
        self.media_type = media_type
        self.filename = filename

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces still to come."""
        return self._pieces


@dataclass(slots=True)
class Filled:
    r"""A form as it came in.

    `fields`: the text of each field that was sent, line ends as "\n"; a field left empty is "". `upload`: the file, None where none was
    sent; fields behind the file in the body are in `fields` once it was read. `is_cut`: the body or its texts went on, and not all is here;
    `is_short`: the end of the body is not.
    """

    fields: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    is_cut: bool = False
    is_short: bool = False

    async def uploads(self) -> AsyncIterator[Upload]:
        """Give the files in their turn; each is to be iterated to its end before the next is asked for."""
        while self.upload is not None:
            given = self.upload
            yield given
            if self.upload is given:
                return
