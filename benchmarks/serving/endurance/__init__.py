"""endurance."""
