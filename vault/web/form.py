"""What a form may hold, as a route declares it, and what came in.

Invariants: the set of names is closed and each has a limit in bytes; text holds no NUL and no control character but tab and line feed
(others become spaces); a file is never laid down anywhere by the front, it goes to the controller piece by piece; a form that people fill
in by hand is kept as far as it came, so that its page can give it back.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields of a form body.

    `fields`: each text field's name and its limit in bytes of UTF-8. `file`: the name of the one part that is a file, "" where there is
    none; with one, multipart is the only form taken. `seconds`: how long the whole body may take to arrive. The route's `max_body` bounds
    the sum. `keeps`: texts too long for their limits are kept whole, a body too long is kept as far as it may come (`Filled.is_cut`), and
    NUL becomes a space: the controller says what is wrong.

    Raises ValueError where the file's name is a field's too, or a file is to be kept.
    """

    fields: Mapping[str, int] = field(default_factory=dict)
    file: str = ""
    seconds: float = 30.0
    keeps: bool = False

    def __post_init__(self) -> None:
        """Refuse a declaration that cannot hold."""
        if self.file in self.fields or not (self.fields or self.file) or (self.file and self.keeps):
            raise ValueError("a form's names")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Tell the media types that are taken."""
        return (MULTIPART,) if self.file else (URLENCODED, MULTIPART)


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
    sent; fields behind the file in the body are in `fields` once it was read. `is_cut`: the body went on, and the end of it is not here.
    """

    fields: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    is_cut: bool = False
