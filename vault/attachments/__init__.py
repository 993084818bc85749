"""Files kept sealed: scans of signed forms and documents of a person's record, received as they arrive, cited, retired, examined."""
