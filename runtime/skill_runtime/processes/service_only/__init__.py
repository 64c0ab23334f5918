"""The processes of a policy service without an arm: a supervisor, and the process that answers.

- ``serving``: starts the process, watches it, ends it.
- ``process``: its entry.
- ``config``: its configuration and its report.
- ``counters``: the memory that both share.
"""
