"""The edges: the Kubernetes client, kopf, HTTP. Foreign errors become ours here."""
