"""The MinIO of a platform, and the buckets of models in it."""
