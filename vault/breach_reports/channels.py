"""How the association can be reached besides the form (article 8): its name, its social account, its address for documented e-mail.

They are the operator's to write, in `public.toml` beside the association's own files; no pack and no repository holds contact data.
"""

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from vault.errors import VaultError

FILE: Final = "public.toml"


class ChannelsRefused(VaultError):
    """The file of public channels is there and cannot be read as one."""

    code = "channels-refused"


class Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The association's name in both languages."""

    ar: str
    en: str


class Channels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What pages tell of an association; "" for what nobody wrote down, which pages then describe in words."""

    name: Name | None = None
    social: str = ""
    email: str = ""


def read_channels(folder: Path) -> Channels:
    """What stands in the association's `public.toml`, nothing where there is none. Raises ChannelsRefused."""
    try:
        return msgspec.convert(tomllib.loads((folder / FILE).read_text(encoding="utf-8")), Channels)
    except FileNotFoundError:
        return Channels()
    except (OSError, ValueError) as error:
        raise ChannelsRefused from error
