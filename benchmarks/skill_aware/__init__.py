"""skill_aware."""
