"""Files that several packages write or find.

- ``atomic_file``: files that are replaced as a whole.
- ``shipped_models``: the policy files that come with skill-serve, by name.
"""
