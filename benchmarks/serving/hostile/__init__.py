"""The attack benchmark: ``python -m benchmarks.serving.hostile``.

- ``attacker``: the process that attacks.
- ``attacks``: the attacks, one module for each family.
- ``bystanders``: innocent clients of the attacked server.
- ``campaign``: repeats of an attack and of its control.
- ``contract``: the contract of the server, and how a result keeps it.
- ``losses``: loss of a network process.
- ``observed``: states and replies of the server.
- ``results``: results of an attack, and of its repeats.
- ``rig``: the attacked server, its processes, memory and log.
- ``zmtp``: a ZeroMQ peer made of bytes.
"""
