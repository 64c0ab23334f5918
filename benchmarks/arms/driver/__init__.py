"""The driver of a real arm, measured against the simulated control box.

- ``box``: the control box as a process that also reports its cube and takes a new place for it.
- ``skills``: skill-serve moves the robot for minutes, through each vendor's library.
- ``deaths``: a process dies or freezes, or the network is cut: who stops the arm, and when.
"""
