"""The room of records: field types, storing, revisions."""
