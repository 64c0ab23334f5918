"""Deterministic simulation testing: the server on virtual time, with injected faults and an oracle.

- ``__main__``: the command behind ``make simulate``.
- ``campaign``: many runs over many seeds, in several processes.
- ``run``: one run, drawn from one seed.
- ``oracles``: the invariants.
- ``virtual``: time, sockets, processes and network.
- ``actors``: clients, a pose source, an operator and a forger.
- ``faulty_arm``: an arm and a policy with injected faults.
- ``error_injector``: errors at the server's fault points.
- ``process_faults``: failures of the processes beside the controller.
"""
