"""The metering policy of a ModelPlatform: its children, where it is mounted, and what Products may use of it."""
