"""The failure benchmark: ``python -m benchmarks.serving.failures``.

- ``input_failures``: failures of policy, tracker and network, and a flood.
- ``network``: network namespaces with a cable that can be unplugged.
- ``outcome``: the effect of a failure: mode, times and counters.
- ``peers``: the client processes.
- ``process_failures``: failures of controller, server and subscribers.
- ``rig``: a server, its client processes and a recording.
"""
