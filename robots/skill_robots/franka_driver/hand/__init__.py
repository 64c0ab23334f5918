"""The gripper, which has a process of its own.

- ``goals``: which targets of the arm are new goals for the gripper.
- ``gripper``: the interface of a vendor's library.
- ``hand_driver``: the loop of the process.
"""
