"""The 3scale-operator, and a model of 3scale's Admin API (porta) that it talks to."""
