"""Who may come in: associations, API clients, staff, roles, second factor, acknowledgements, and two people for what one could abuse."""
