"""The KServe side of a ModelService: its children, and what their statuses mean."""
