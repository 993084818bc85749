"""The sheet: everything a decision needs to know about one person, sealed in one row, and the events it is folded from."""
