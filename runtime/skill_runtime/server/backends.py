"""The arms that skill-serve can move, and their differences from the arm of training."""

from __future__ import annotations

import time
from typing import Literal

from skill_proto.manifest import PolicyManifest
from skill_robots.arm import Arm, ArmCommunicationError
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.motion.gripper import GRASPS_BELOW, OPENS_ABOVE, gripper_part, names_width
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.observation import FIELDS, observed_objects
from skill_robots.tasks.registry import find_task
from skill_robots.tasks.tabletop.simulated_arm import BulletArm, MujocoArm, TabletopArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.policy.plant_remarks import plant_remarks, usable_range

Simulation = Literal["mujoco", "bullet"]

SIMULATIONS: dict[Simulation, type[TabletopArm]] = {"mujoco": MujocoArm, "bullet": BulletArm}
"""The simulated arms, by name."""

RELEASE_S = 4.0
"""A robot serves one program at a time. The driver of a server that was killed holds the connection
for about two seconds: it brakes the arm, holds it for one second, and ends [s]."""

RETRY_S = 0.25
"""Time between two attempts to connect [s]."""

QUANTITIES = {"mass": "cube_mass", "friction": "cube_table_friction"}
"""Name of each changeable quantity of the scene in a manifest's ``trained_on``."""


def simulated_arm(
    manifest: PolicyManifest, *, servo_rate_hz: float, seed: int, name: Simulation = "mujoco"
) -> TabletopArm:
    """Returns an arm whose episodes start like those of the policy's training.

    Mass and friction are drawn from the manifest's ranges. The start height of the end effector
    is that of the policy's task. The gripper is closed, unless the policy names its width: then an
    episode starts with any opening.

    Raises:
        EngineMissingError: the physics engine is not installed.
    """
    default = TabletopConfig()
    config = TabletopConfig(
        physics_step_s=1.0 / servo_rate_hz,
        mass=usable_range(manifest, QUANTITIES["mass"]) or default.mass,
        friction=usable_range(manifest, QUANTITIES["friction"]) or default.friction,
        start=find_task(manifest.arm_plant.task).start,
        gripper=names_width(manifest),
    )
    return SIMULATIONS[name](config, seed=seed)


def connect_franka(
    address: str,
    config: DriverConfig | None = None,
    *,
    servo_rate_hz: float,
    realtime: bool,
    release_s: float = RELEASE_S,
) -> tuple[Arm, tuple[str, ...]]:
    """Connects to a Franka arm; this takes seconds.

    Args:
        address: of its control box.
        config: thresholds, gripper, and errors that are cleared; None for the defaults.
        servo_rate_hz: rate of the set-points [Hz].
        realtime: request real-time scheduling for the driver.
        release_s: longest wait for another program to release the robot [s].

    Returns:
        The arm, and remarks for the user.

    Raises:
        ArmError: the robot does not answer or is not ready, or its driver is not installed.
    """
    from skill_robots.franka_driver.franka_arm import FrankaArm

    ends = time.monotonic() + release_s
    while True:
        try:
            arm = FrankaArm.connect(
                address, servo_rate_hz=servo_rate_hz, realtime=realtime, config=config
            )
        except ArmCommunicationError:
            if time.monotonic() >= ends:
                raise
            time.sleep(RETRY_S)
        else:
            return arm, arm.remarks


def check_gripper(manifest: PolicyManifest, *, has_gripper: bool) -> None:
    """Refuses a policy that drives a gripper on a robot without one.

    Args:
        manifest: Manifest of the policy.
        has_gripper: Whether the robot has a gripper.

    Raises:
        UnsupportedPolicyError: The policy drives a gripper, and the robot has none.
    """
    part = gripper_part(manifest)
    if part is not None and not has_gripper:
        raise UnsupportedPolicyError(
            f"{manifest.name} drives a gripper ({part.name}), and the robot has none "
            "(--no-gripper); mount the hand and leave out the flag, or serve a policy that pushes"
        )


def tracked_objects(given: tuple[str, ...], manifest: PolicyManifest, arm: Arm) -> tuple[str, ...]:
    """Returns the objects whose poses trackers send: a real arm measures no objects itself.

    Args:
        given: named by the user.
        manifest: of the policy.
        arm: the arm.

    Raises:
        ArmError: the arm cannot be read.
    """
    if arm.is_simulated:
        return given
    reported = arm.read().objects
    # The server refuses a policy with other fields later.
    known = tuple(name for name in manifest.observation_names if name in FIELDS)
    unseen = (name for name in observed_objects(known) if name not in reported)
    return tuple(dict.fromkeys((*given, *unseen)))


def mismatches(
    manifest: PolicyManifest,
    arm: Arm,
    mass: float | None,
    friction: float | None,
    speed: float = 1.0,
) -> list[str]:
    """Lists the differences of this arm and scene from those of training, one per string.

    Args:
        manifest: Manifest of the policy.
        arm: The arm that the policy will move.
        mass: Fixed mass of the object [kg]; None for a random one.
        friction: Fixed friction of object and table; None for a random one.
        speed: Share of the arm's velocity limits that set-points may use.
    """
    found = plant_remarks(manifest, arm.spec, arm.servo_period_s)
    if isinstance(arm, TabletopArm) and arm.engine != "mujoco":
        found.append("trained on MuJoCo, this arm is simulated by PyBullet with other links")
    if names_width(manifest) and not arm.is_simulated:
        found.append(
            "trained on a gripper that follows every width, this one carries out one motion at a "
            f"time: it grasps below {100 * GRASPS_BELOW:g} % of the opening, opens above "
            f"{100 * OPENS_ABOVE:g} %, and does neither between"
        )
    if speed == 1.0 and not arm.is_simulated:
        found.append(
            "--speed 1: a compliant arm overshoots fast set-points by up to a fifth, and the robot "
            "stops itself beyond its limits"
        )
    if speed < 1.0:
        found.append(
            f"set-points use at most {100 * speed:g} % of the arm's velocity limits (--speed), "
            "which training used in full; faster motions lag"
        )
    for quantity, value in (("mass", mass), ("friction", friction)):
        trained = manifest.trained_on.get(QUANTITIES[quantity])
        if value is not None and trained is not None and not trained.low <= value <= trained.high:
            unit = "" if trained.unit == "1" else f" {trained.unit}"
            found.append(
                f"--{quantity} {value:g}{unit} is outside the {trained.low:g} to "
                f"{trained.high:g}{unit} of training"
            )
    return found
