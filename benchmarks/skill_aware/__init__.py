"""Scores, tables and pictures of the skill-aware benchmark."""
