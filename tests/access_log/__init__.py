"""The access log's requirements."""
