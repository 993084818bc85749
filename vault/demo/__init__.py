"""The demonstration: invented families, a stranger's HTTP client, and the story of the product told over real HTTP."""
