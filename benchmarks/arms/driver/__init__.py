"""The driver of a real arm, measured against the simulated control box.

- ``skills``: skill-serve moves the robot for minutes, through each vendor's library.
- ``deaths``: a process dies or freezes, or the network is cut: who stops the arm, and when.
- ``settling``: how fast the impedance law can bring an arm to rest, computed.
- ``server``: skill-serve on the box, and threads that track the cube and observe the telemetry.
"""
