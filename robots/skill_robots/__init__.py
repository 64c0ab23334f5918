"""Arms, and everything true of an arm whoever drives it."""
