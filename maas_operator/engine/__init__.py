"""The one pass of every kind: gather, decide, apply, prune, report. It sees Kubernetes through a protocol."""
