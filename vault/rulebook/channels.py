"""What public pages tell of an association: its name, how it is reached besides the form (article 8), whether it is a demonstration.

It is the operator's to write, in `public.toml` beside the association's own files; no pack and no repository holds contact data.
"""

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Final

import msgspec

from vault.errors import VaultError

FILE: Final = "public.toml"
_HERE: Final = re.compile(r"http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.ASCII)
_NO_LINE: Final = frozenset({"Cc", "Zl", "Zp"})
_SITE: Final = re.compile(r"https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?", re.ASCII)


class ChannelsRefused(VaultError):
    """The file of public channels is there and cannot be read as one."""

    code = "channels-refused"


class Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The association's name in both languages, each a line: it stands in titles and in the subject of letters."""

    ar: str
    en: str

    def __post_init__(self) -> None:
        """Refuse a name with an end of line or another control character in it."""
        if any(unicodedata.category(each) in _NO_LINE for each in self.ar + self.en):
            message = "a name is one line"
            raise ValueError(message)


class Channels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What pages tell of an association; "" for what nobody wrote down, which pages then describe in words.

    `site`: where the public reaches this service, such as "https://vault.example.org", for the links it prints and hands out.
    `sites`: the origins of the association's websites, whose pages may speak for their visitors (docs/spec/visitors-script.md).
    `demonstration`: everybody in it is invented, and every page says so.
    """

    name: Name | None = None
    social: str = ""
    email: str = ""
    site: str = ""
    sites: tuple[str, ...] = ()
    demonstration: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no origin over TLS; among `sites` one of this machine may be without, to try it out."""
        if (self.site and _SITE.fullmatch(self.site) is None) or not all(
            _SITE.fullmatch(one) or _HERE.fullmatch(one) for one in self.sites
        ):
            message = "a site is https://, a host and nothing more"
            raise ValueError(message)

    @property
    def names(self) -> dict[str, str]:
        """The association's name by language, nothing where nobody wrote one down."""
        return {} if self.name is None else {"ar": self.name.ar, "en": self.name.en}

    def named(self, code: str, language: str) -> str:
        """The association's name in a language, its code where nobody wrote one down."""
        if self.name is None:
            return code
        return self.name.en if language == "en" else self.name.ar


def read_channels(folder: Path) -> Channels:
    """What stands in the association's `public.toml`, nothing where there is none. Raises ChannelsRefused."""
    try:
        return msgspec.convert(tomllib.loads((folder / FILE).read_text(encoding="utf-8")), Channels)
    except FileNotFoundError:
        return Channels()
    except (OSError, ValueError) as error:
        raise ChannelsRefused from error
