"""Which bugs, planted in the server, does fault injection find, and at which tick?

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

import numpy as np
from tqdm import tqdm

from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seeds
from benchmarks.lib.report import print_table, write_json
from skill_proto.messages import FaultClass, Telemetry
from skill_robots.motion.braking import BrakingPlanner, BrakingTrajectory
from skill_robots.motion.limits import MotionLimits, VerifiedStop
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_runtime.authority import modes
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.lease import Lease, LeaseManager
from skill_runtime.channel.channel import ERROR_CODES, Word
from skill_runtime.channel.record_queue import RecordQueue
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.arm_link import ArmLink
from skill_runtime.control.recovery import AutomaticRecovery
from skill_runtime.fault_injection.faulty_arm import FaultyArm
from skill_runtime.fault_injection.oracles.motion import InvariantError
from skill_runtime.fault_injection.run import FaultRun, RunConfig
from skill_runtime.gateway import gateway
from skill_runtime.gateway.telemetry import make_telemetry
from skill_runtime.gateway.validation import CommandValidator
from skill_runtime.server.stop_reader import STARTED_AGAIN, StopReader

Plant = Callable[[FaultRun], Any]
"""Returns a context manager: inside it, the server of that run has the bug."""


@contextmanager
def lease_never_ends(run: FaultRun) -> Generator[None, None, None]:
    """A lease is in force until it is released."""

    def never(_: Lease) -> float:
        return math.inf

    with patch.object(Lease, "ends_at", property(never)):
        yield


@contextmanager
def priority_ignored(run: FaultRun) -> Generator[None, None, None]:
    """Every request for the lease is granted."""
    acquire = LeaseManager.acquire

    def careless(
        self: LeaseManager, holder: str, ttl_s: float, now: float, priority: int = 0
    ) -> Lease:
        del priority
        self.end("a client asked")
        return acquire(self, holder, ttl_s, now)

    with patch.object(LeaseManager, "acquire", careless):
        yield


@contextmanager
def governor_without_stops(run: FaultRun) -> Generator[None, None, None]:
    """The governor checks a set-point, but not the braking trajectory from it."""

    def unchecked(_: MotionLimits, stop: BrakingTrajectory, *__: object) -> VerifiedStop:
        return VerifiedStop(stop, math.inf, None)

    with patch.object(MotionLimits, "verify_stop", unchecked):
        yield


@contextmanager
def governor_brakes_too_hard(run: FaultRun) -> Generator[None, None, None]:
    """Braking is planned with three times the acceleration and jerk limits."""
    spec, period_s = run.arm.spec, run.arm.servo_period_s
    planner = BrakingPlanner(3.0 * spec.acceleration_limit, 3.0 * spec.jerk_limit, period_s)
    with patch.object(run.server.controller.link.governor, "_planner", planner):
        yield


@contextmanager
def stop_does_not_latch(run: FaultRun) -> Generator[None, None, None]:
    """A stopped arm accepts a lease and commands."""
    free = {**modes.TABLE["hold"]}
    with patch.dict(modes.TABLE, {"stopped": free}):
        yield


@contextmanager
def fault_does_not_latch(run: FaultRun) -> Generator[None, None, None]:
    """Every fault ends in the next tick, without its cause being gone."""

    def fault_in_force(self: Authority) -> FaultClass | None:
        return self.fault_class if self.mode == "fault" else None

    def always(_: AutomaticRecovery, fault: FaultClass | None, now: float) -> bool:
        del now
        return fault is not None

    recoverable = patch.object(Authority, "recoverable_fault", property(fault_in_force))
    with recoverable, patch.object(AutomaticRecovery, "has_ended", always):
        yield


@contextmanager
def age_from_arrival(run: FaultRun) -> Generator[None, None, None]:
    """The validity of a command begins on arrival, not at its reference time."""
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
def order_ignored(run: FaultRun) -> Generator[None, None, None]:
    """A command that was overtaken, or arrives twice, is executed."""

    def forgetful(*_: object) -> None:
        """Does not store the number."""

    with patch.object(LeaseManager, "accept", forgetful):
        yield


@contextmanager
def hold_finishes(run: FaultRun) -> Generator[None, None, None]:
    """A hold continues to the goal of the ended command."""

    def ignore(*_: object) -> None:
        """Keeps the goal."""

    with patch.object(PolicyAdapter, "hold", ignore):
        yield


@contextmanager
def old_poses_are_used(run: FaultRun) -> Generator[None, None, None]:
    """The age of a tracked pose is not checked."""

    def unchecked(*_: object) -> None:
        """Accepts poses of any age."""

    with patch.object(ArmController, "_missing_object", unchecked):
        yield


@contextmanager
def stop_read_seldom(run: FaultRun) -> Generator[None, None, None]:
    """Stops are read in every twentieth tick only."""
    read = StopReader.read

    def seldom(self: StopReader) -> bool:
        return run.oracle.tick % 20 == 0 and read(self)

    with patch.object(StopReader, "read", seldom):
        yield


@contextmanager
def silent_listener_unseen(run: FaultRun) -> Generator[None, None, None]:
    """A stop listener that does not answer is not noticed."""

    def ignore(*_: object) -> None:
        """Does not look."""

    with patch.object(StopReader, "watch", ignore):
        yield


@contextmanager
def new_listener_trusted(run: FaultRun) -> Generator[None, None, None]:
    """A stop listener that was started again is not noticed."""
    stop = vars(StopReader)["_stop"]

    def trusting(self: StopReader, reason: str, count: int) -> None:
        if reason != STARTED_AGAIN:
            stop(self, reason, count)

    with patch.object(StopReader, "_stop", trusting):
        yield


@contextmanager
def garbage_is_executed(run: FaultRun) -> Generator[None, None, None]:
    """The controller trusts the gateway: it does not check commands again."""
    with patch.object(CommandValidator, "validate", unchecked_vector):
        yield


def unchecked_vector(_: CommandValidator, message: Any) -> Any:  # noqa: ANN401  a motion of any kind
    """Returns the vector of a motion command without a check."""
    fields = ("skill", "goal", "joint_position", "end_effector_position")
    return np.array(next(getattr(message, name) for name in fields if hasattr(message, name)))


@contextmanager
def lost_replies(run: FaultRun) -> Generator[None, None, None]:
    """The gateway loses a reply of the controller now and then."""
    get = RecordQueue.get

    def forgetful(self: RecordQueue) -> bytes | None:
        record = get(self)
        return get(self) if self is run.channel.replies and run.oracle.tick % 50 == 0 else record

    with patch.object(RecordQueue, "get", forgetful):
        yield


@contextmanager
def restart_forgets_counts(run: FaultRun) -> Generator[None, None, None]:
    """A gateway that starts anew counts its refusals from zero."""
    create = gateway.Gateway.__init__

    def forgetful(self: gateway.Gateway, *given: Any) -> None:  # noqa: ANN401  passed on
        create(self, *given)
        for index in range(len(ERROR_CODES)):
            run.channel.words[Word.REJECTED + index] = 0

    with patch.object(gateway.Gateway, "__init__", forgetful):
        yield


@contextmanager
def lost_arm_goes_on(run: FaultRun) -> Generator[None, None, None]:
    """After an outage the set-point is not placed on the measured joints."""

    def ignore(_: ArmLink) -> None:
        """Keeps the set-point."""

    with patch.object(ArmLink, "hold_measured", ignore):
        yield


@contextmanager
def stall_unseen(run: FaultRun) -> Generator[None, None, None]:
    """A suspended loop is not noticed."""
    with patch.object(FaultyArm, "lockstep", True):
        yield


@contextmanager
def telemetry_always_well(run: FaultRun) -> Generator[None, None, None]:
    """Telemetry always reports mode `hold`."""

    def well(*given: Any, **named: Any) -> Telemetry:  # noqa: ANN401  passed on
        state = make_telemetry(*given, **named)
        return state.model_copy(update={"mode": "hold", "fault": None})

    with patch.object(gateway, "make_telemetry", well):
        yield


@contextmanager
def faults_not_counted(run: FaultRun) -> Generator[None, None, None]:
    """Faults are not counted."""
    fault = Authority.fault

    def uncounted(self: Authority, reason: str, kind: FaultClass = "internal") -> None:
        fault(self, reason, kind)
        self.events.counters[f"faults.{kind}"] = 0

    with patch.object(Authority, "fault", uncounted):
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
    "hold_finishes": ("adapter", hold_finishes, "still moving"),
    "lost_arm_goes_on": ("arm link", lost_arm_goes_on, "fed forward|breaks"),
    "stall_unseen": ("arm link", stall_unseen, "fed forward|breaks"),
    "stop_read_seldom": ("server", stop_read_seldom, "was not read"),
    "silent_listener_unseen": (
        "server",
        silent_listener_unseen,
        "stop listener's last sign|was started again",
    ),
    "new_listener_trusted": ("server", new_listener_trusted, "was started again"),
    "garbage_is_executed": (
        "server",
        garbage_is_executed,
        "was accepted beyond the joints' limits|a fault without a cause",
    ),
    "lost_replies": ("gateway", lost_replies, "no answer to"),
    "restart_forgets_counts": ("gateway", restart_forgets_counts, "counter in telemetry"),
    "telemetry_always_well": ("telemetry", telemetry_always_well, "telemetry says"),
    "faults_not_counted": ("telemetry", faults_not_counted, "counted|counter"),
}
"""Part of the server, context manager, and a regular expression of the expected finding."""

TRACKED = ("old_poses_are_used",)
"""Bugs that need a run with a tracker, which is one with an odd seed."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Command-line options."""

    seeds: Seeds = (0, 1, 2, 3, 4)
    """One run per seed; odd seeds have a tracker."""
    ticks: PositiveInt = 50_000
    """Length of a run without a finding [servo periods]."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file to serve."""
    json: Path | None = None
    """File for the result in JSON."""


def found(name: str, config: RunConfig) -> str | None:
    """Returns the broken invariant for a planted bug; None if all invariants hold."""
    run = FaultRun(config)
    with PLANTS[name][1](run):
        try:
            run.run()
        except InvariantError as error:
            return str(error)
    return None


def main(config: Config) -> None:
    """Plants each bug, runs, and prints a table."""
    open_policy(config.model)  # A missing file would look like a finding of every run.
    logging.disable(logging.CRITICAL)
    rows: list[list[str]] = []
    with tqdm(total=len(PLANTS) * len(config.seeds), disable=None, leave=False) as bar:
        for name, (part, *_) in PLANTS.items():
            said: list[str | None] = []
            for seed in config.seeds:
                skipped = name in TRACKED and seed % 2 == 0
                run = RunConfig(seed=seed, ticks=config.ticks, model=config.model)
                said.append("-" if skipped else found(name, run))
                bar.update()
            ticks = [(text or "not found").partition(":")[0].removeprefix("tick ") for text in said]
            words = next((text.partition(": ")[2] for text in said if text and ":" in text), "")
            rows.append([name, part, *ticks, words[:60]])
    print_table(["planted", "in", *(f"seed {seed}" for seed in config.seeds), "says"], rows)
    write_json(config.json, {"found": rows})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.safety.planted", description=__doc__)
