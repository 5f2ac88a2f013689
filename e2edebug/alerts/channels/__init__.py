"""The ways on which messages leave: one module each, and what they have in common."""
