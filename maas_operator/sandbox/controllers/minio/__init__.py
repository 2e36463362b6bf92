"""A MinIO with what Kubernetes has below it: volumes, a StatefulSet, and Jobs that run `mc`."""
