"""Backup and restore: copies that open nothing by themselves, and doors that stay closed when one is put back (promises 4, 7 and 8)."""
