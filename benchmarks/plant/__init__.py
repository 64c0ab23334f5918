"""Measurements of the simulated plant: friction, pushing, and identification of the context."""
