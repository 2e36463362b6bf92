"""What must exist and what is true: pure functions of what was observed. No I/O, no clock, no randomness."""
