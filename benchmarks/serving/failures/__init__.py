"""The failure benchmark: ``python -m benchmarks.serving.failures``.

- ``client_process``: a client process whose output is read.
- ``input_failures``: failures of policy, tracker and network, and a flood.
- ``network``: network namespaces with a cable that can be unplugged.
- ``outcome``: the effect of a failure: mode, times and counters.
- ``peers``: the client processes.
- ``process_failures``: failures of the client that holds the lease, and of subscribers.
- ``recording``: a recording of telemetry, and the motion of the arm in it.
- ``rig``: a server, its client processes and a recording.
- ``server_failures``: failures of the server's processes.
"""
