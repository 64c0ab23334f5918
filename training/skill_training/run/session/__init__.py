"""One session of a run: a process that trains it from its start or from its checkpoint.

- ``lock``: one process at a time writes to a run directory.
- ``interruption``: signals that end a session with a checkpoint.
- ``changes``: settings that a session may change.
- ``record``: the sessions of a run, in run.json.
- ``ending``: messages for an end that lost work.
- ``physics_warnings``: warnings of MuJoCo in the log.
- ``streams``: output that cannot be written and does not end a session.
- ``appended_file``: the same for the files of metrics.
"""
