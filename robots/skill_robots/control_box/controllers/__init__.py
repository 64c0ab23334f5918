"""From set-points to torques.

- ``impedance``: the robot's internal controllers.
- ``arm_control``: which controller moves the arm: a client's motion, a stop, an operator, a hold.
"""
