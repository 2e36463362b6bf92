"""Object storage: a bucket for a model, whoever has it, behind one interface."""
