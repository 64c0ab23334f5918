"""Arms, their limits, and the worlds in which policies are trained and evaluated.

The names exported here are those that a new arm needs; importing them does not import MuJoCo.

- ``arm``: the interface between the runtime and an arm, and its errors.
- ``kinematics``: the interface of an arm's kinematics.
- ``collision``: the interface of an arm's collision model.
- ``observation``: named observation fields, from the state of arm and objects.
- ``objects``: names and sizes of the objects.
- ``franka``: the Panda (FER) and the FR3.
- ``motion``: from a policy's action to a checked set-point.
- ``tasks``: the worlds in which policies act, with rollouts and metrics.
"""

from skill_robots.arm import (
    Arm,
    ArmCommunicationError,
    ArmConnection,
    ArmContactError,
    ArmError,
    ArmSpec,
    ArmState,
    JointTarget,
    ObjectUnseenError,
    Pose,
    PositionBasedVelocityLimit,
    Scene,
    SimulationDivergedError,
)
from skill_robots.collision import Clearance, CollisionModel
from skill_robots.kinematics import EndEffectorPose, Kinematics

__all__ = [
    "Arm",
    "ArmCommunicationError",
    "ArmConnection",
    "ArmContactError",
    "ArmError",
    "ArmSpec",
    "ArmState",
    "Clearance",
    "CollisionModel",
    "EndEffectorPose",
    "JointTarget",
    "Kinematics",
    "ObjectUnseenError",
    "Pose",
    "PositionBasedVelocityLimit",
    "Scene",
    "SimulationDivergedError",
]
