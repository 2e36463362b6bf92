"""The OpenAPI document of a ModelService: generated or the user's own, and how 3scale gets it."""
