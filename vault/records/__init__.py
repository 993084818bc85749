"""Record types, their Saudi field types, storing, revisions, tokens and retention."""
