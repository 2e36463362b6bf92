"""A cluster on a laptop: an embedded Kubernetes API, stand-ins for the controllers around us, and a demo."""
