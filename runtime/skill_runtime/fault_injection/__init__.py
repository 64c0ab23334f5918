"""Deterministic simulation testing: the server on virtual time, with injected faults and an oracle.

- ``__main__``: the command behind ``make simulate``.
- ``campaign``: many runs over many seeds, in several processes.
- ``run``: one run, drawn from one seed.
- ``oracle``: a model of lease, command, stop and fault, and the invariants of every tick.
- ``motion_oracle``: the invariants of the set-points that reach the motors.
- ``actors``: clients, a pose source, an operator and a forger.
- ``faulty_arm``: an arm and a policy with injected faults.
- ``error_injector``: errors at the server's fault points.
- ``lossy_network``: delays, loses, duplicates, reorders and replays messages.
- ``virtual_transport``, ``virtual_clock``: sockets and time inside one process.
"""
