"""The Franka arms: Panda (FER) and FR3, which share kinematics, hand and controller.

- ``specs``: published limits of both arms, and their models as an ``ArmSpec``.
- ``urdf_limits``: limits of a connected arm from the URDF that it sends.
- ``kinematics``: forward kinematics and Jacobian from the Denavit-Hartenberg table.
- ``collision``: distances to the table and between links, from the shapes of the MuJoCo models.
- ``model``: the MuJoCo models, ``panda.xml`` and its variation for the FR3.
- ``fr3``: inertias and ranges of the FR3.
- ``shapes``: shapes around the links of both arms.
- ``handshake``: version, status and URDF of a control unit, without a vendor's library.
- ``errors``, ``robot_mode``: errors and modes of a robot.
"""
