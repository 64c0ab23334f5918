"""Benchmarks of the server.

- ``act``: round trips of the policy service beside other ways to serve a policy.
- ``bare_loop``: a loop that only waits for its deadlines, for comparison.
- ``commanded_server``: a server that a client commands, and its figures.
- ``endurance``: late ticks and memory over a long run.
- ``failures``: time until the arm is at rest after a failure.
- ``hostile``: attacks on the server.
- ``inference``: duration of one inference (``tick``).
- ``json_client``: a client for servers of several revisions.
- ``processes``: the processes of a server, and their memory.
- ``revisions``: two revisions of the server in turns.
- ``tick``: execution time and wake-up latency of a tick.
- ``tick_trace``: Python calls of one tick.
"""
