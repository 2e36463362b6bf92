"""The one pass that every kind goes through: gather, decide, apply, prune, report. It sees Kubernetes through a protocol."""
