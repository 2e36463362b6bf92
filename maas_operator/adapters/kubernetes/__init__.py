"""The Kubernetes API over `kubernetes.aio`: how to reach it, how to call it, and what its errors mean."""
