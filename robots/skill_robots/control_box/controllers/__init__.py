"""From set-points to torques.

- ``impedance``: the robot's internal controllers.
- ``arm_control``: the choice of the controller: a client's motion, a stop, an operator, a hold.
"""
