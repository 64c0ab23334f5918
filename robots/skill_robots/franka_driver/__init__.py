"""The driver of a real Panda (FER) or FR3, and the arm that the runtime serves with it.

The vendor's C++ impedance law runs in a process of its own, which feeds the law at 1 kHz with
set-points from shared memory. So a server that dies or freezes leaves the arm to a process that
brakes it and holds it. A second process has the gripper, whose library keeps the interpreter while
it waits for a message. This folder is above ``motion``, whose braking planner the driver uses.

- ``franka_arm``: :class:`~skill_robots.franka_driver.franka_arm.FrankaArm`, the arm of the runtime.
- ``config``: collision thresholds, payload and other settings.
- ``records``: the shared memory of arm, driver and hand.
- ``children``: starts and ends the processes, ``python -m skill_robots.franka_driver``.
- ``driver``: the loop of the driver.
- ``feed``: from set-points to the reference of each millisecond; brakes without set-points.
- ``robot``: the interface of a vendor's library, and the start-up checks.
- ``fer``, ``fr3``: that interface on panda-python and on franky.
- ``hand``: the gripper and the loop of its process.
- ``scheduling``: real-time scheduling of the driver.
"""
