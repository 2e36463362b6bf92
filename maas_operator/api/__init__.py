"""The three kinds as models, their condition reasons, and the CRDs made from them."""
