"""The policies that a platform adds to every chain: which may stand where, and what their configurations are."""
