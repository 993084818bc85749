"""The access log: one RFC 6962 tree for each association, appended in the transaction of the deed it tells of."""
