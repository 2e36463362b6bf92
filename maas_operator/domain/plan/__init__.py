"""What would change, and what follows from it for models and for people."""
