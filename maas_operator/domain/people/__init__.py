"""The people of 3scale: accounts, users, applications, keys, and the Secrets that bring keys to consumers."""
