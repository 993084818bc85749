"""Which orders name a record: an index only, whose lies can lose an order and never make one."""

from sqlalchemy import Table

from vault.storage.metadata import OUTLASTS, association_column, identifier, metadata

# What an order says stands in its fact, and the two are compared before it counts.
order_record = Table(
    "order_record",
    metadata,
    association_column(),
    identifier("record", primary_key=True),
    identifier("order_id", primary_key=True),
    info={OUTLASTS: True},
)
