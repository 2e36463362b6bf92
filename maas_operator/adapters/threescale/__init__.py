"""3scale's Admin API."""
