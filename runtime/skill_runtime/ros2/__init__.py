"""skill-ros2: a ROS 2 node beside a server, and a client of it like any other.

Topics and message types are those of crisp_controllers, so that programs written for it work.

- ``run``: the node from its start to its end.
- ``node``: subscriptions, services and the timer of the node.
- ``parameters``: ROS parameters.
- ``targets``: a message becomes a target, or is refused.
- ``steering``: the lease, and targets sent to the server.
- ``watching``: telemetry, read and published.
- ``status``: what the threads of the node know.
- ``diagnostics``: the same in words and levels.
- ``outputs``: publishers of the arm's state.
- ``ros``: all names that come from ROS.
"""
