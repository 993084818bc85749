"""The history of the schema: Alembic versions, run by `amanah init` and checked at every start."""
