"""Which orders name a record, and which recalls wait to be told: indexes only, whose lies can lose one and never make one."""

from sqlalchemy import Column, Index, Integer, String, Table

from vault.storage.metadata import OUTLASTS, association_column, identifier, instant, metadata

# What an order says stands in its fact, and the two are compared before it counts.
order_record = Table(
    "order_record",
    metadata,
    association_column(),
    identifier("record", primary_key=True),
    identifier("order_id", primary_key=True),
    info={OUTLASTS: True},
)

# What is due to be told to past recipients: the recall itself is a sealed fact, and it says to whom.
recall_outbox = Table(
    "recall_outbox",
    metadata,
    association_column(),
    identifier("recall", primary_key=True),
    Column("recipient", String(64), nullable=False),
    instant("due"),
    Column("attempts", Integer, nullable=False),
    instant("claimed_until"),
    info={OUTLASTS: True},
)
Index("ix_recall_outbox_due", recall_outbox.c.association_id, recall_outbox.c.recipient, recall_outbox.c.due)
