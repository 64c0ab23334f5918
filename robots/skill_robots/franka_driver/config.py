"""Settings of a Franka robot, and of its two processes."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.arrays import Array

HAND_MASS_KG = 0.73
"""Mass of the Franka Hand in the plant that policies are trained on [kg]."""


@dataclass(frozen=True, kw_only=True)
class DriverConfig:
    """Collision thresholds, payload and gripper of one robot.

    The thresholds are start values for the shipped pushing policies, whose hand meets cube and
    table at speed: for some milliseconds the simulated robot estimates up to 100 N and 50 N m in
    joint 2, and 99 % of the time at most 9 N (``benchmarks.arms.driver.skills``). A real robot's
    estimate is noisier. Thresholds below the forces of a policy stop the robot in the middle of its
    task; they are no protection of a person.
    """

    collision_torque_nm: tuple[float, ...] = (80.0, 80.0, 80.0, 80.0, 15.0, 15.0, 15.0)
    """External torque of each joint at which the robot stops itself [N m]. With 10 N m in
    joints 5 to 7, faults ended 3 of 40 episodes of goal_panda on the control boxes
    (``docs/data/arms/ladder_box.json``)."""
    collision_force_n: tuple[float, ...] = (150.0, 150.0, 150.0, 90.0, 90.0, 90.0)
    """External wrench at which the robot stops itself: x, y, z [N] and about x, y, z [N m]."""
    contact_torque_nm: tuple[float, ...] = (20.0, 20.0, 20.0, 20.0, 8.0, 8.0, 8.0)
    """External torque of each joint that the robot reports as a contact [N m]."""
    contact_force_n: tuple[float, ...] = (20.0, 20.0, 20.0, 20.0, 20.0, 20.0)
    """External wrench that the robot reports as a contact: [N] and [N m]."""
    load_mass_kg: float = 0.0
    """Payload beyond the hand itself, held during the whole run [kg]."""
    load_center_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Its centre of mass in the flange's frame [m]."""
    hand_mass_kg: float = HAND_MASS_KG
    """Expected mass of the end effector as configured in Desk [kg]."""
    hand_mass_tolerance_kg: float = 0.15
    """A larger difference from the expected mass is reported [kg]."""
    gripper: bool = True
    """Whether the robot has a Franka Hand; ``--no-gripper`` of skill-serve."""
    grasp_force_n: float = 40.0
    """Force of a grasp [N]; the Franka Hand holds up to 70 N continuously."""
    gripper_speed: float = 0.1
    """Speed of the opening width [m/s]; the default is the hand's documented maximum."""
    home_gripper: bool = False
    """Whether the gripper is homed at the start; ``--home-gripper`` of skill-serve. Homing opens
    and closes the fingers; a gripper that holds an object is never homed."""
    recover_at_start: bool = False
    """Whether errors of an earlier run are cleared at the start; ``--recover`` of skill-serve. A
    robot that has stopped because of a contact is refused otherwise."""


@dataclass(frozen=True, kw_only=True)
class DriverStart:
    """Settings of a driver process, passed pickled through its standard input."""

    address: str
    version: int
    """Protocol version of the robot."""
    memory: int
    """Descriptor of the shared memory."""
    parent: int
    """Process id of the parent."""
    servo_period_s: float
    realtime: bool
    """Whether to lock the driver's memory, too."""
    config: DriverConfig
    velocity_limit: Array
    """``(7,)`` [rad/s]."""
    acceleration_limit: Array
    """``(7,)`` [rad/s^2]."""
    braking_limit: Array
    """Highest deceleration of a stop ``(7,)`` [rad/s^2]."""
    jerk_limit: Array
    """``(7,)`` [rad/s^3]."""
    stiffness: Array
    """``(7,)`` [N m/rad]."""
    damping: Array
    """``(7,)`` [N m s/rad]."""


@dataclass(frozen=True, kw_only=True)
class HandStart:
    """Settings of a gripper process, passed pickled through its standard input."""

    address: str
    version: int
    """Protocol version of the robot."""
    memory: int
    """Descriptor of the shared memory."""
    parent: int
    """Process id of the parent."""
    home: bool
    """Whether the gripper is homed at the start."""
    grasp_force_n: float
    """Force of a grasp [N]."""
    speed: float
    """Speed of the opening width [m/s]."""
