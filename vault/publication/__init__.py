"""What the association publishes of itself (article 5): its own policy document as it is, and how data is processed."""
