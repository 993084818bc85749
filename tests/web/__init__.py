"""Tests of the front: one file per file of `vault/web`, and the hostile stranger."""
