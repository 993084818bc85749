"""Why a copy is not made, not taken or not put back: stable codes with a sentence each in `vault/web/sentences.toml`."""

from vault.errors import VaultError


class BackupRefused(VaultError):
    """By its code; `part` names the file that does not hold, where one does not.

    `backup-altered`, `backup-foreign`, `backup-not-proven`, `backup-running`, `backup-there`, `backup-recipient`, `backup-other-version`,
    `journal-incomplete`.
    """

    code = "backup-altered"

    def __init__(self, code: str | None = None, part: str = "") -> None:
        """Hold the code and the name of the file."""
        super().__init__(code)
        self.part = part
