"""skill-keys: the keys of a server and of its clients.

- ``main``: the program.
- ``subcommands``: new, allow, revoke, list.
- ``serving_keys``: the keys with which skill-serve serves.
"""
