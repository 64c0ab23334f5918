"""skill-serve moves a robot with the skills of a policy, through each vendor's library.

    python -m benchmarks.arms.driver.skills --minutes 10 --json FILE

For each robot the program starts the simulated control box, skill-serve with a driver on it, and a
tracker that reports the cube at 100 Hz. It runs random skills, and puts arm and cube back to their
start between two of them. It prints reflexes, interventions of the governor, the robot's success
rate, the driver's delays and skipped servo periods, and then the duration of ``read`` and
``command`` of the arm. A run in which the box lost more than 20 ms of real time is inconclusive:
repeat it.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.arms.box_process import MAX_SLIP_S, BoxProcess
from benchmarks.arms.driver.server import Watch, serving
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, Seed, Some
from benchmarks.lib.report import print_table, write_json
from skill_robots.arm import ArmCommunicationError, JointTarget
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka_driver.franka_arm import FrankaArm
from skill_runtime.client import ClientError, CommandRefusedError, LeaseLostError, SkillClient
from skill_runtime.realtime.scheduling import configure_thread

SKILL_S = 8.0
"""Duration of one skill [s]."""

REPEAT_S = 0.2
"""Interval at which a command is repeated [s]."""

ADDRESSES: dict[FrankaRobot, str] = {"fer": "127.14.1.5", "fr3": "127.14.1.10"}
LIBRARIES: dict[FrankaRobot, str] = {"fer": "panda-python", "fr3": "franky-control"}

COST_S = 10.0
"""Duration of the measurement of ``read`` and ``command`` [s]."""

COLUMNS = (
    *("seconds", "reflexes", "governor_interventions", "success_rate_mean", "success_rate_least"),
    *("overrun_share", "missed_setpoints", "driver_lateness_p99_ms", "read_command_p50_us"),
    *("read_command_p99_us", "force_p99_n", "force_max_n", "slip_s"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    robots: Some[FrankaRobot] = ("fer", "fr3")
    """Which robots: fer through panda-python, fr3 through franky-control."""
    minutes: PositiveFloat = 10.0
    """Duration of each run [min]."""
    servo_rate: PositiveFloat = 200.0
    """Set-points per second."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    seed: Seed = 0
    """Of skills and places of the cube."""
    json: Path | None = None
    """Results as JSON."""


class Session:
    """Runs skills one after the other.

    Args:
        box: the control box.
        client: holds the lease.
        rng: of skills and places.
    """

    def __init__(self, box: BoxProcess, client: SkillClient, rng: np.random.Generator) -> None:
        self._box = box
        self._client = client
        self._rng = rng
        self._size = client.hello().manifest.skill.size

    def run(self, seconds: float) -> int:
        """Runs skills for a time, and returns their number."""
        ends, count = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            self._go_back()
            skill = self._rng.normal(size=self._size)
            self._repeat(SKILL_S, "skill", skill / np.linalg.norm(skill))
            count += 1
        return count

    def _go_back(self) -> None:
        """Raises the hand, returns to the start, and puts the cube near it."""
        x, y, _ = self._client.state().end_effector_position
        self._repeat(1.5, "servo_pose", (x, y, 0.12))
        self._repeat(2.5, "servo_pose", (0.0, 0.0, 0.12))
        radius, angle = self._rng.uniform(0.0, 0.08), self._rng.uniform(-np.pi, np.pi)
        self._box.place(
            x=radius * np.cos(angle),
            y=radius * np.sin(angle),
            yaw=self._rng.uniform(-np.pi, np.pi),
            mass=float(np.exp(self._rng.uniform(np.log(0.4), np.log(1.6)))),
            friction=float(np.exp(self._rng.uniform(np.log(0.2), np.log(0.8)))),
        )
        self._repeat(1.5, "servo_pose", (0.0, 0.0, 0.06))

    def _repeat(self, seconds: float, kind: str, vector: object) -> None:
        """Repeats one command for a time; after a fault, begins anew with a new lease."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with suppress(ClientError):
                try:
                    getattr(self._client, kind)(vector)
                except (CommandRefusedError, LeaseLostError):
                    self._recover()
            time.sleep(REPEAT_S)

    def _recover(self) -> None:
        """Clears a fault or a stop, which the figures count, and takes the lease again."""
        time.sleep(1.0)
        if self._client.state().mode in ("fault", "stopped"):
            self._client.clear()
        self._client.acquire("benchmark")


def run_robot(robot: FrankaRobot, options: Options) -> dict[str, object]:
    """Runs one robot and returns its figures."""
    with BoxProcess(robot, ADDRESSES[robot], truth_cycles=10) as box:
        box.place(x=0.05, y=0.0, yaw=0.0, mass=0.8, friction=0.4)
        with serving(box, options.model, servo_rate_hz=options.servo_rate) as (_, address):
            watch = Watch(box, address)
            with SkillClient(address, name="benchmark") as client:
                client.acquire("benchmark")
                session = Session(box, client, np.random.default_rng(options.seed))
                skills = session.run(60.0 * options.minutes)
            watch.end()
        costs = measure_cost(box.address, options.servo_rate)
        report = box.end()
    slip = report["slip_s"]
    assert isinstance(slip, float)
    return {
        "robot": robot,
        "library": LIBRARIES[robot],
        "servo_rate_hz": options.servo_rate,
        "skills": skills,
        **watch.observed.figures(),
        **costs,
        **{name: report[name] for name in ("force_p99_n", "force_p999_n", "force_max_n")},
        "torque_max_nm": report["torque_max_nm"],
        "slip_s": slip,
        "conclusive": slip <= MAX_SLIP_S,
        "box": report,
    }


def measure_cost(address: str, servo_rate_hz: float) -> dict[str, float]:
    """Measures ``read`` and ``command`` of an arm that holds, in the order of the loop [us]."""
    configure_thread(realtime=True)
    arm = FrankaArm.connect(address, servo_rate_hz=servo_rate_hz)
    still, durations = np.zeros(7), list[float]()
    try:
        position = arm.read().joint_position
        due = time.perf_counter()
        for _ in range(round(COST_S * servo_rate_hz)):
            start = time.perf_counter()
            try:
                arm.read()
                arm.command(JointTarget(position=position, velocity=still, acceleration=still))
            except ArmCommunicationError:
                pass  # a delay of this machine; the arm holds, and follows the next set-points
            else:
                durations.append(time.perf_counter() - start)
            due += arm.servo_period_s
            time.sleep(max(0.0, due - time.perf_counter()))
    finally:
        arm.close()
    return {
        "read_command_p50_us": round(1e6 * float(np.percentile(durations, 50)), 1),
        "read_command_p99_us": round(1e6 * float(np.percentile(durations, 99)), 1),
    }


def main(options: Options) -> None:
    """Runs the benchmark."""
    results = [run_robot(robot, options) for robot in options.robots]
    print_table(
        ("robot", "library", *COLUMNS),
        [
            [str(result["robot"]), str(result["library"]), *(str(result[c]) for c in COLUMNS)]
            for result in results
        ],
    )
    write_json(options.json, {"runs": results})
    if not all(result["conclusive"] for result in results):
        sys.exit("inconclusive: a control box lost more than 20 ms of real time; repeat the run")


if __name__ == "__main__":
    run_program(main, Options, prog="python -m benchmarks.arms.driver.skills", description=__doc__)
