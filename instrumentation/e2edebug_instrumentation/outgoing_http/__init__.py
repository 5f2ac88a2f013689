"""Requests to other services: who is called, what came of it, and who may learn of our workflow."""
