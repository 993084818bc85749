"""Every setting of the vault, read once from the environment or a TOML file; everybody else takes an argument.

Invariant: no secret is a setting; passphrases and addresses with passwords come from files.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from vault.errors import VaultError
from vault.web.receiving import parse_networks

PREFIX = "AMANAH_"
DATABASE = "amanah.sqlite3"
ASSOCIATIONS = "associations"


Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class SettingsRefused(VaultError):
    """A setting that is unknown, of the wrong kind, or names a file that cannot be read."""

    code = "settings-refused"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings; each is `AMANAH_` and its name in capitals, or its name in the TOML file that `AMANAH_CONFIG` names.

    `database_url` without a password, or `database_url_file` holding one; `root_key_file` for one root over all associations, else each
    has its own under `~/.config/amanah/<association>/root`; `root_passphrase_file` where that root is sealed under a passphrase;
    `root_credential` for one that systemd hands to the unit, instead of both.
    `largest_scan` is in bytes. `webhook_ca_file` names the authorities that recipients' webhooks are believed by, instead of the system's;
    `webhook_private_targets` lets them lie inside the house, which is for trials only.
    """

    data_dir: str = "amanah-data"
    database_url: str | None = None
    database_url_file: str | None = None
    root_key_file: str | None = None
    root_passphrase_file: str | None = None
    root_credential: str | None = None
    host: str = "127.0.0.1"
    port: Port = 8080
    metrics_port: Port | None = None
    trusted_proxies: str = ""
    tls_cert: str | None = None
    tls_key: str | None = None
    largest_scan: int = 25 * 1024 * 1024
    webhook_ca_file: str | None = None
    webhook_private_targets: bool = False

    @property
    def folder(self) -> Path:
        """Where the vault's own files lie."""
        return Path(self.data_dir).expanduser().resolve()

    @property
    def proxies(self) -> list[str]:
        """The networks of trusted proxies, as written."""
        return [part.strip() for part in self.trusted_proxies.split(",") if part.strip()]

    @property
    def address(self) -> str:
        """The database's address: the one given, the one in the file, or SQLite in the data folder. Raises SettingsRefused."""
        if self.database_url_file is not None:
            try:
                return Path(self.database_url_file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsRefused("settings-database-url-file") from error
        return self.database_url or f"sqlite:///{self.folder / DATABASE}"

    def homes(self) -> tuple[str, ...]:
        """The codes of the associations whose files lie in the data folder, sorted."""
        home = self.folder / ASSOCIATIONS
        return tuple(sorted(one.name for one in home.iterdir() if one.is_dir())) if home.is_dir() else ()

    def association_folder(self, code: str) -> Path:
        """Where an association's epochs, journal and last checkpoint lie."""
        return self.folder / ASSOCIATIONS / code

    def root_path(self, code: str) -> Path:
        """Where an association's root key lies: outside the data folder."""
        if self.root_key_file is not None:
            return Path(self.root_key_file).expanduser()
        return Path("~/.config/amanah").expanduser() / code / "root"


def read(given: Mapping[str, str | int | None] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings: what is given (options of the command line) before the environment before the file. Raises SettingsRefused."""
    values: dict[str, Any] = {}
    if (config := environment.get(f"{PREFIX}CONFIG")) is not None:
        try:
            values |= tomllib.loads(Path(config).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsRefused("settings-config-file") from error
    for name in Settings.__struct_fields__:
        if (text := environment.get(f"{PREFIX}{name.upper()}")) is not None:
            values[name] = text
    values |= {name: value for name, value in (given or {}).items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsRefused from error
    if settings.root_credential is not None and (settings.root_key_file or settings.root_passphrase_file):
        raise SettingsRefused("settings-root-credential")
    try:
        parse_networks(settings.proxies)
    except ValueError as error:
        raise SettingsRefused("settings-trusted-proxies") from error
    return settings
