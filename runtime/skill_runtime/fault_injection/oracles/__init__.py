"""The invariants of a run, checked against models and not against the server's own state.

- ``server``: lease, command, stop and fault.
- ``motion``: the set-points that reach the motors.
- ``replies``: every message gets one reply.
- ``telemetry``: states and frames are true.
"""
