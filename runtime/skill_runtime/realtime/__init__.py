"""Timing of the control loop on this machine.

- ``clock``: real and simulated time behind one interface.
- ``cpus``: processors of the machine, and lists of them as Linux writes them.
- ``histogram``: wake-up latencies since the start, in buckets.
- ``latency``: percentiles of times, and the tick times of the last second.
- ``limits``: memory of a child process, and its end with its parent.
- ``pacing``: waits for absolute deadlines, and counts overruns.
- ``scheduling``: real-time scheduling, locked memory, processor affinity, deferred collection.
- ``systemd``: notifies systemd that the loop is ready, alive or stopping.
"""
