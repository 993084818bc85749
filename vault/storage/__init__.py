"""Where rows live: engines, units of work, group commit, the journal, idempotency and migrations; it knows no room and no article."""
