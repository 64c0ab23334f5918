"""Sweeps: many runs of ``skill-train`` over seeds and settings.

- ``grid``: the runs.
- ``process``: one run in a process of its own.
- ``local``: runs on the cores of this machine.
- ``on_ray``: runs on a Ray cluster.
- ``settings``: the settings of the runs, and whether a run that is there has them.
- ``execution``: those runs that are missing.
- ``table``: the results, with intervals over the seeds.
- ``sweep``: the whole of it.
"""
