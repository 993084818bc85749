"""The policy packs as data: the law and each kind of association, TOML, versioned, bilingual."""
