"""Goals: what is done with what was received, and how well."""
