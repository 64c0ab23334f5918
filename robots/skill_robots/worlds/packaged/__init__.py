"""Bodies and scenes whose MJCF files come with other packages.

- ``table``: one row each.
- ``mjcf``: finds the files, and changes them as the rows say.
"""
