"""`python -m vault` is `amanah`."""

from vault.cli import main

if __name__ == "__main__":
    main()
