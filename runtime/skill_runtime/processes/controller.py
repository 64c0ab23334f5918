"""The controller's process: ``python -m skill_runtime.processes.controller``.

It has no socket and no second thread. It reports through a pipe that it is ready, or why it cannot
serve; then it ticks until the server ends.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import time
from dataclasses import replace

from skill_proto.manifest import PolicyManifest
from skill_proto.shared_memory.memory import map_memory
from skill_robots.arm import Arm, ArmError
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.engine import EngineMissingError
from skill_runtime.authority.authority import IdleTimeout
from skill_runtime.channel.channel import Channel
from skill_runtime.control.object_tracker import TrackConfig
from skill_runtime.control.policy_runner import RateMismatchError
from skill_runtime.policy import PolicyFileError, load_manifest
from skill_runtime.policy.when_outside import check_knows_distance
from skill_runtime.processes.child import read_config
from skill_runtime.processes.config import (
    ControllerConfig,
    Failed,
    Ready,
    RobotStart,
    ServerOptions,
    Started,
)
from skill_runtime.processes.log_pipe import log_to_pipe
from skill_runtime.processes.signals import ProcessSignals
from skill_runtime.realtime.limits import be_a_child
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.backends import (
    check_gripper,
    connect_franka,
    mismatches,
    simulated_arm,
    tracked_objects,
)
from skill_runtime.server.control_loop import Pace

LISTENER_START_S = 5.0
"""Longest wait for the stop listener before the first tick; then the arm is stopped [s]."""


def main() -> None:
    """Serves until the server ends."""
    be_a_child(ends_at_once=False)  # the arm comes to rest before this process ends
    config = read_config()
    assert isinstance(config, ControllerConfig)
    parent = os.getppid()
    log_to_pipe(config.options.log_level)
    channel = Channel(map_memory(config.memory))
    try:
        server = build(config, channel)
    except (
        PolicyFileError,
        RateMismatchError,
        UnsupportedPolicyError,
        EngineMissingError,
        ValueError,
    ) as error:
        _report(config.report, Failed(reason=str(error), may_pass=False))
        return
    except ArmError as error:
        _report(config.report, Failed(reason=str(error), may_pass=True))
        return
    ready = Ready(described=server.gateway_config, remarks=tuple(server.remarks))
    _report(config.report, ready)
    ends = time.monotonic() + LISTENER_START_S
    while channel.stops.beat_ns == 0 and time.monotonic() < ends and not channel.ending:
        time.sleep(0.002)
    is_reported = False

    def stopping() -> bool:
        nonlocal is_reported
        if not is_reported:
            _report(config.report, Started(grants=tuple(map(str, server.loop.grants))))
            os.close(config.report)
            is_reported = True
        return channel.ending or os.getppid() != parent

    is_at_rest = False
    try:
        is_at_rest = server.loop.run(stopping)
    finally:
        server.close()
        if os.getppid() != parent:  # the supervisor was killed
            shutil.rmtree(config.private, ignore_errors=True)
    if not is_at_rest:
        sys.exit("the arm is not at rest")


def build(config: ControllerConfig, channel: Channel) -> ArmServer:
    """Returns the server with its arm, which is closed if the server cannot be built.

    Raises:
        PolicyFileError, RateMismatchError, UnsupportedPolicyError, EngineMissingError, ArmError:
            The server cannot be built; the text names the reason.
    """
    options = config.options
    manifest = load_manifest(options.model)
    check_knows_distance(manifest, options.when_outside)
    arm, remarks = open_arm(options, manifest)
    try:
        server = _server(config, channel, arm, manifest)
    except Exception:
        arm.close()
        raise
    server.remarks += remarks
    server.remarks += mismatches(manifest, arm, options.mass, options.friction, options.speed)
    return server


def open_arm(options: ServerOptions, manifest: PolicyManifest) -> tuple[Arm, tuple[str, ...]]:
    """Returns the arm that was asked for, and remarks for the user.

    Raises:
        EngineMissingError, ArmError: The simulation is not installed, or the robot is not ready.
        UnsupportedPolicyError: The policy drives a gripper, and the robot has none.
    """
    rate_hz = options.servo_rate_hz
    if options.arm == "franka":
        assert options.address is not None  # checked with the command line
        check_gripper(manifest, has_gripper=options.robot.gripper)
        return connect_franka(
            options.address,
            driver_config(options.robot, options.speed),
            servo_rate_hz=rate_hz,
            realtime=options.realtime,
        )
    arm = simulated_arm(manifest, servo_rate_hz=rate_hz, seed=options.seed, name=options.arm)
    arm.set_context(mass=options.mass, friction=options.friction)
    return arm, ()


def driver_config(robot: RobotStart, speed: float = 1.0) -> DriverConfig:
    """Returns the settings of the driver of a real arm.

    A robot refuses a threshold of contacts above that of collisions, so the former are lowered to
    the latter.

    Args:
        robot: as asked for by the user.
        speed: share of the gripper's speed, in (0, 1].
    """
    config = DriverConfig(
        recover_at_start=robot.recover, home_gripper=robot.home_gripper, gripper=robot.gripper
    )
    config = replace(config, gripper_speed=speed * config.gripper_speed)
    force, torque = robot.collision_force_n, robot.collision_torque_nm
    if force is not None:
        config = replace(config, collision_force_n=(force,) * 3 + config.collision_force_n[3:])
    if torque is not None:
        config = replace(config, collision_torque_nm=(torque,) * 4 + config.collision_torque_nm[4:])
    return replace(
        config,
        contact_force_n=_lower(config.contact_force_n, config.collision_force_n),
        contact_torque_nm=_lower(config.contact_torque_nm, config.collision_torque_nm),
    )


def _lower(values: tuple[float, ...], limits: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(min, values, limits))


def _server(
    config: ControllerConfig, channel: Channel, arm: Arm, manifest: PolicyManifest
) -> ArmServer:
    options = config.options
    serve = ServeConfig(
        model=options.model,
        device=options.device,
        addresses=config.addresses,
        instance=config.instance,
        pace=Pace(spin_s=options.spin_s, realtime=options.realtime, cpu=options.cpu),
        demo=options.demo,
        stopped=options.stopped,
        seed=options.seed,
        backend=options.arm,
        speed=options.speed,
        when_outside=options.when_outside,
        idle_timeout=IdleTimeout(stop_after_s=options.stop_after_s),
        track=TrackConfig(
            objects=tracked_objects(options.track, manifest, arm),
            timeout_s=options.tracker_timeout_s,
        ),
    )
    signals = ProcessSignals(config.own, config.gateway, config.listener)
    return ArmServer(arm, serve, channel, signals.for_loop())


def _report(descriptor: int, report: Ready | Started | Failed) -> None:
    content = pickle.dumps(report)
    data = len(content).to_bytes(8, "little") + content
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    main()
