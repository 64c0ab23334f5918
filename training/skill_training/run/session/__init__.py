"""One session of a run: a process that trains it from its start or from its checkpoint.

- ``lock``: one process at a time writes to a run directory.
- ``interruption``: signals that end a session with a checkpoint.
- ``changes``: settings that a session may change.
- ``record``: the sessions of a run, in run.json.
- ``ending``: messages for a session that lost work.
- ``physics_warnings``: warnings of MuJoCo in the log.
- ``streams``: standard output and error whose failures do not end a session.
- ``appended_file``: files of metrics that buffer records while the disk is full.
"""
