"""The only way to a value: read, decide, audit. Facts, verdict, entry, commit, value; in that order, on every path."""
