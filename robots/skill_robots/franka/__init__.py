"""The Franka arms: Panda (FER) and FR3, which share kinematics and collision model.

- ``specs``: published limits of both arms, and their models as an ``ArmSpec``.
- ``kinematics``: forward kinematics and Jacobian from the Denavit-Hartenberg table.
- ``collision``: distances to the table and between links, from the shapes of the MuJoCo model.
- ``model``: the MuJoCo model ``panda.xml``.
"""
