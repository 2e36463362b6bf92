"""A package, so that a fixture of package scope ends with it and not with the session."""
