"""What people do with the keys of an association."""
