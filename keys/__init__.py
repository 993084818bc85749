"""Sealing: keys, sealed formats, signatures and secrets; it knows nothing of the vault that uses it."""
