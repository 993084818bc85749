"""What every command that needs a vault shares: its settings, how a refusal is told in one line, what is typed, where the service is."""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

import rich_click as click

from keys.errors import Unopenable
from vault.errors import Invalid, VaultError
from vault.identity.founding import FilesExist
from vault.settings import DATABASE, Settings, SettingsRefused, read
from vault.storage.group_commit import DATABASE_ERRORS
from vault.storage.patience import DatabaseHeld, is_held
from vault.web.problems import SENTENCES

P = ParamSpec("P")
T = TypeVar("T")
_OF_SETTINGS = {
    "settings-refused": "a setting is unknown or not of its kind; docs/operate.md lists them",
    "settings-config-file": "the file that AMANAH_CONFIG names cannot be read as TOML",
    "settings-database-url-file": "the file with the database's address cannot be read",
    "settings-root-credential": "AMANAH_ROOT_CREDENTIAL stands alone: no root key file and no passphrase beside it",
    "settings-webhook-ca-file": "the file that AMANAH_WEBHOOK_CA_FILE names cannot be read as certificates in PEM",
    "settings-trusted-proxies": "AMANAH_TRUSTED_PROXIES is no list of networks, such as 10.0.0.0/8, with commas between",
}


class Failed(Exception):
    """A refusal of the vault, told in one line by its code and our own sentence."""


def sentence(error: VaultError) -> str:
    """A refusal in one line: its code, the fields that do not hold, and our own sentence."""
    words = SENTENCES.get(error.code)
    where = f" ({', '.join(each.field for each in error.errors)})" if isinstance(error, Invalid) and error.errors else ""
    return f"{error.code}{where}: {words.say.en}" if words else f"{error.code}{where}"


def settings_of(given: Mapping[str, str | int | None]) -> Settings:
    """The settings of a command that needs a vault. Raises Failed where the folder holds none, before one is begun in it by looking."""
    settings = read(given)
    if settings.database_url is None and settings.database_url_file is None and not (settings.folder / DATABASE).is_file():
        raise Failed(f"there is no vault in {settings.folder}; --data-dir names another folder, and amanah init makes a vault")
    return settings


def guarded(deed: Callable[P, T]) -> Callable[P, T]:
    """Tell refusals in a line and end with 1, instead of a traceback."""

    @wraps(deed)
    def told(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return named(deed, *arguments, **options)
        except Failed as error:
            click.echo(f"amanah: {error}", err=True)
            sys.exit(1)

    return told


def named(deed: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """What the deed gives. Raises Failed for whatever has a name."""
    try:
        return deed(*arguments, **options)
    except FilesExist as error:
        # Another association's `epochs` among them would take its keys along: so they are named, and nothing is removed here.
        raise Failed(f"{sentence(error)} {', '.join(str(path) for path in error.files)}") from error
    except SettingsRefused as error:
        raise Failed(f"{error.code}: {_OF_SETTINGS[error.code]}") from error
    except VaultError as error:
        raise Failed(sentence(error)) from error
    except DATABASE_ERRORS as error:
        if isinstance(error, OSError) and error.filename:
            raise Failed(f"{type(error).__name__}: {error.filename}") from error
        if is_held(error):
            raise Failed(sentence(DatabaseHeld())) from error
        raise Failed("the database cannot be read or written") from error
    except Unopenable as error:
        raise Failed("sealed: the root key or its passphrase does not open what is there") from error


def typed(what: str, unseen: bool) -> str:  # noqa: FBT001 - the shape of `Ask`
    """What is typed at the terminal."""
    return str(click.prompt(what, hide_input=unseen, err=True))


def address_of(settings: Settings) -> str:
    """Where the running service of these settings listens on this machine."""
    return f"{'https' if settings.tls_cert else 'http'}://{'localhost' if settings.tls_cert else '127.0.0.1'}:{settings.port}"
