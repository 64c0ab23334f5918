"""From an empty environment to the first motion: seconds and megabytes."""
