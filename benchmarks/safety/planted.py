"""Bugs that are planted in the server, to see whether `make simulate` finds them, and how soon.

python -m benchmarks.safety.planted --seeds 0 1 2 3 4
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tyro
from tqdm import tqdm

from benchmarks.lib.report import print_table, write_json
from skill_proto.messages import FaultClass, Telemetry
from skill_robots.motion.braking import BrakingPlanner, BrakingTrajectory
from skill_robots.motion.limits import MotionLimits, VerifiedStop
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_runtime.authority import modes
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.lease import Lease, LeaseManager
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.fault_injection.faulty_arm import FaultyArm
from skill_runtime.fault_injection.motion_oracle import InvariantError
from skill_runtime.fault_injection.run import FaultRun, RunConfig
from skill_runtime.server import control_loop as loop
from skill_runtime.server.message_server import MessageServer
from skill_runtime.server.telemetry import make_telemetry

Plant = Callable[[FaultRun], Any]
"""Makes a context manager: while it is entered, the bug is in the server of that world."""


@contextmanager
def lease_never_ends(world: FaultRun) -> Generator[None, None, None]:
    """A lease is in force until it is released."""

    def never(_: Lease) -> float:
        return math.inf

    with patch.object(Lease, "ends_at", property(never)):
        yield


@contextmanager
def priority_ignored(world: FaultRun) -> Generator[None, None, None]:
    """Whoever asks for the lease gets it."""
    acquire = LeaseManager.acquire

    def careless(
        self: LeaseManager, holder: str, ttl_s: float, now: float, priority: int = 0
    ) -> Lease:
        del priority
        self.end("somebody asked")
        return acquire(self, holder, ttl_s, now)

    with patch.object(LeaseManager, "acquire", careless):
        yield


@contextmanager
def governor_without_stops(world: FaultRun) -> Generator[None, None, None]:
    """A set-point is looked at where it is, not on its way to rest."""

    def content(_: MotionLimits, way: BrakingTrajectory, *__: object) -> VerifiedStop:
        return VerifiedStop(way, math.inf, None)

    with patch.object(MotionLimits, "verify_stop", content):
        yield


@contextmanager
def governor_brakes_too_hard(world: FaultRun) -> Generator[None, None, None]:
    """Stops are planned with three times the acceleration that the arm can bear."""
    spec, period_s = world.arm.spec, world.arm.servo_period_s
    planner = BrakingPlanner(3.0 * spec.acceleration_limit, 3.0 * spec.jerk_limit, period_s)
    with patch.object(world.pilot.governor, "_planner", planner):
        yield


@contextmanager
def stop_does_not_latch(world: FaultRun) -> Generator[None, None, None]:
    """A stopped arm takes a lease and commands."""
    free = {**modes.TABLE["hold"]}
    with patch.dict(modes.TABLE, {"stopped": free}):
        yield


@contextmanager
def fault_does_not_latch(world: FaultRun) -> Generator[None, None, None]:
    """Every fault counts as one that may end by itself."""

    def at_fault(self: Authority) -> bool:
        return self.mode == "fault"

    def recover(self: ArmController, authority: Authority, now: float) -> None:
        del self, now
        authority.recover()

    may = patch.object(Authority, "may_recover", property(at_fault))
    with may, patch.object(ArmController, "_recover_by_itself", recover):
        yield


@contextmanager
def age_from_arrival(world: FaultRun) -> Generator[None, None, None]:
    """A command's validity begins when it arrives, not when its sender last heard the server."""
    check = LeaseManager.check_command

    def from_arrival(
        self: LeaseManager,
        token: str,
        seq: int,
        reference_time: float,
        valid_for_s: float | None,
        now: float,
    ) -> float:
        return check(self, token, seq, now, valid_for_s, now)

    with patch.object(LeaseManager, "check_command", from_arrival):
        yield


@contextmanager
def order_ignored(world: FaultRun) -> Generator[None, None, None]:
    """A command that was overtaken, or comes twice, runs."""

    def forgetful(*_: object) -> None:
        """The number is not noted."""

    with patch.object(LeaseManager, "accept", forgetful):
        yield


@contextmanager
def hold_finishes(world: FaultRun) -> Generator[None, None, None]:
    """A hold goes on to the goal of what it ended."""

    def content(_: PolicyAdapter) -> None:
        """The goal stays."""

    with patch.object(PolicyAdapter, "hold", content):
        yield


@contextmanager
def old_poses_are_used(world: FaultRun) -> Generator[None, None, None]:
    """Nobody looks how old a tracked pose is."""

    def content(*_: object) -> None:
        """Whatever its age."""

    with patch.object(ArmController, "_check_objects", content):
        yield


@contextmanager
def stop_read_seldom(world: FaultRun) -> Generator[None, None, None]:
    """Stops are read in every twentieth tick."""
    hear_stops = MessageServer.receive_stops

    def seldom(self: MessageServer, until: float) -> None:
        if world.judge.tick % 20 == 0:
            hear_stops(self, until)

    with patch.object(MessageServer, "hear_stops", seldom):
        yield


@contextmanager
def lost_arm_goes_on(world: FaultRun) -> Generator[None, None, None]:
    """An arm that was out of reach is sent on from where it was told to be."""

    def nowhere(_: ArmController) -> None:
        """The set-point stays."""

    with patch.object(ArmController, "_stay_here", nowhere):
        yield


@contextmanager
def stall_unseen(world: FaultRun) -> Generator[None, None, None]:
    """Nobody notices that the loop stood still."""
    with patch.object(FaultyArm, "lockstep", True):
        yield


@contextmanager
def telemetry_always_well(world: FaultRun) -> Generator[None, None, None]:
    """Telemetry says that the arm holds, whatever it does."""

    def well(**given: Any) -> Telemetry:  # noqa: ANN401  whatever it takes
        return make_telemetry(**given).model_copy(update={"mode": "hold", "fault": None})

    with patch.object(loop, "make_telemetry", well):
        yield


@contextmanager
def faults_not_counted(world: FaultRun) -> Generator[None, None, None]:
    """Faults are not counted."""
    fault = Authority.fault

    def untold(self: Authority, reason: str, kind: FaultClass = "internal") -> None:
        fault(self, reason, kind)
        self.counters[f"faults.{kind}"] = 0

    with patch.object(Authority, "fault", untold):
        yield


PLANTS: dict[str, tuple[str, Plant, str]] = {
    "lease_never_ends": ("lease", lease_never_ends, "after the lease|without a lease"),
    "priority_ignored": ("lease", priority_ignored, "same or a higher priority"),
    "governor_without_stops": (
        "governor",
        governor_without_stops,
        "too near|breaks|too fast|beyond its end",
    ),
    "governor_brakes_too_hard": ("governor", governor_brakes_too_hard, "breaks"),
    "stop_does_not_latch": ("modes", stop_does_not_latch, "stopped"),
    "fault_does_not_latch": (
        "modes",
        fault_does_not_latch,
        "was not reported|ended by itself|at fault",
    ),
    "age_from_arrival": ("staleness", age_from_arrival, "fresh command|after its end"),
    "order_ignored": ("staleness", order_ignored, "out of order"),
    "old_poses_are_used": ("staleness", old_poses_are_used, "on a pose"),
    "hold_finishes": ("driver", hold_finishes, "still moving"),
    "lost_arm_goes_on": ("pilot", lost_arm_goes_on, "fed forward|breaks"),
    "stall_unseen": ("pilot", stall_unseen, "fed forward|breaks"),
    "stop_read_seldom": ("server", stop_read_seldom, "was not read"),
    "telemetry_always_well": ("telemetry", telemetry_always_well, "telemetry says"),
    "faults_not_counted": ("telemetry", faults_not_counted, "counted|counter"),
}
"""Where each is, how it gets there, and what it is to be found by (a regular expression)."""

TRACKED = ("old_poses_are_used",)
"""These need a run with a tracker: an odd seed."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Planted bugs, and the tick at which the simulation finds each."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """A run for each; with a tracker for the odd ones."""
    ticks: int = 50_000
    """The longest run."""
    model: Path = Path("models/csf_panda.onnx")
    """The policy that is served."""
    json: Path | None = None
    """Where to write the result."""


def found(name: str, config: RunConfig) -> str | None:
    """What the simulation says of a planted bug; None where it finds nothing."""
    world = FaultRun(config)
    with PLANTS[name][1](world):
        try:
            world.run()
        except InvariantError as error:
            return str(error)
    return None


def main(config: Config) -> None:
    """Plants, runs, prints a table."""
    logging.disable(logging.CRITICAL)
    rows: list[list[str]] = []
    with tqdm(total=len(PLANTS) * len(config.seeds), disable=None, leave=False) as bar:
        for name, (where, *_) in PLANTS.items():
            said: list[str | None] = []
            for seed in config.seeds:
                skipped = name in TRACKED and seed % 2 == 0
                run = RunConfig(seed=seed, ticks=config.ticks, model=config.model)
                said.append("-" if skipped else found(name, run))
                bar.update()
            ticks = [(text or "not found").partition(":")[0].removeprefix("tick ") for text in said]
            words = next((text.partition(": ")[2] for text in said if text and ":" in text), "")
            rows.append([name, where, *ticks, words[:60]])
    print_table(["planted", "in", *(f"seed {seed}" for seed in config.seeds), "says"], rows)
    write_json(config.json, {"found": rows})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
