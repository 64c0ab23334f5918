"""Inferring what cannot be seen - a cube's mass, a table's friction - from what happens."""
