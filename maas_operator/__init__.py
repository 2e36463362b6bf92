"""One `ModelService` in Git becomes a running, metered, rate-limited, key-protected LLM API."""

__version__ = "0.1.0"
