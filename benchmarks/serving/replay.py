"""Does a recording of every shipped policy replay, and is one changed weight found?

    python -m benchmarks.serving.replay

For each policy file that an arm can serve, skill-serve and skill-record run as processes, and a
client commands skills or goals in two episodes. Then each inference is repeated with the served
file, and with a copy in which one weight is changed. The first step at which the change matters is
found apart from the replay: both graphs run side by side on the recorded inputs. The last column is
the size of the recording, for one minute at the full rate of telemetry.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.lib.inputs import names_of
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, Some
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.failures.rig import SKILL_SERVE
from skill_proto.messages import PolicyStep
from skill_runtime.client import ClientError, CommandRefusedError, SkillClient
from skill_runtime.policy import OnnxPolicy, load_manifest
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import (
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
)
from skill_runtime.subscribers.replay.policy_replay import TOLERANCE, PolicyReplay

STATES_PER_MINUTE = 6000
"""Telemetry at 100 Hz."""

START_S = 60.0
"""Longest start of a server or a recorder [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Recordings of the shipped policies, replayed."""

    models: Some[Path] = tuple(sorted(Path("models").glob("*.onnx")))
    """Policy files; those without an arm are left out."""
    seconds: PositiveFloat = 6.0
    """Length of each of the two episodes [s]."""
    port: int = 24700
    """First of three free ports."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One policy."""

    model: str
    steps: int
    """Policy steps that were replayed."""
    different: int
    """Steps whose action differs with the served file."""
    largest: float
    """Largest difference of an action with the served file."""
    found: int | None
    """First step that the replay finds different with the changed file."""
    expected: int | None
    """First step at which the two graphs differ, side by side."""
    difference: float
    """Its difference."""
    mb_per_minute: float
    """Size of the recording for a minute of telemetry at 100 Hz [10^6 bytes]."""


@contextmanager
def running(command: Sequence[str]) -> Generator[subprocess.Popen[bytes]]:
    """Runs a program until the block ends, then asks it to end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(START_S)


def record(config: Config, model: Path, path: Path) -> None:
    """Records two episodes of a policy."""
    address = f"tcp://127.0.0.1:{config.port}"
    serve = [sys.executable, *SKILL_SERVE, "--model", str(model), "--port", str(config.port)]
    recorder = [sys.executable, "-m", "skill_runtime.cli.subscribers.record", str(path)]
    with running(serve), SkillClient(address, timeout_s=10.0) as client:
        _wait_for(client)
        with client.acquire("replay", ttl_s=20.0), running([*recorder, "--address", address]):
            ends = time.monotonic() + START_S
            while not path.exists() and time.monotonic() < ends:
                time.sleep(0.1)
            time.sleep(1.0)  # the subscription
            for seed in (1, 2):
                client.reset(seed=seed)
                _command(client, config.seconds, seed)
            client.hold()
            time.sleep(0.5)


def _wait_for(client: SkillClient) -> None:
    ends = time.monotonic() + START_S
    while True:
        try:
            client.hello()
            return
        except ClientError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


def _command(client: SkillClient, seconds: float, seed: int) -> None:
    manifest = client.server.manifest
    draw = np.random.default_rng(seed)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if manifest.skill.size:
                client.skill(draw.normal(size=manifest.skill.size), valid_for_s=5.0)
            elif manifest.goal is not None:
                client.goal(draw.uniform(manifest.goal.low, manifest.goal.high), valid_for_s=5.0)
            time.sleep(1.0)
        except CommandRefusedError:  # late on a busy machine
            time.sleep(0.1)


def steps_of(path: Path) -> list[PolicyStep]:
    """Returns the policy steps of a recording."""
    messages = Recording([path]).messages((POLICY_STEP_CHANNEL,))
    return [step for message in messages if isinstance(step := message.parse(), PolicyStep)]


def changes(model: Path, path: Path) -> Iterator[None]:
    """Writes copies of a policy file with one weight changed by 1 %, one after the other.

    It is the largest weight of a matrix, and the matrices come by their size. Some have no effect
    on the action, such as those of the estimates.
    """
    graph: Any = onnx.load(model)
    matrices = [item for item in graph.graph.initializer if len(item.dims) >= 2]
    for tensor in sorted(matrices, key=lambda item: -int(np.prod(item.dims))):
        before = numpy_helper.to_array(tensor)
        values = before.copy()
        values[np.unravel_index(int(np.abs(values).argmax()), values.shape)] *= 1.01
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.save(graph, path)
        yield
        tensor.CopyFrom(numpy_helper.from_array(before, tensor.name))


def first_difference(one: Path, other: Path, steps: Sequence[PolicyStep]) -> int | None:
    """Returns the first step at which two policies differ that observe the same."""
    policies = [OnnxPolicy(one), OnnxPolicy(other)]
    for step in steps:
        actions: list[np.ndarray[Any, Any]] = []
        for policy in policies:
            if step.state_age == 0:
                policy.reset(1)
            inputs = {"skill": step.skill, "goal": step.goal}
            given = {k: np.asarray(v, np.float32) for k, v in inputs.items() if v}
            previous = step.previous_action
            actions.append(
                policy.step(
                    np.asarray(step.observation, np.float32),
                    previous_action=None if previous is None else np.asarray(previous, np.float32),
                    **given,
                ).action[0]
            )
        if np.abs(actions[0].astype(np.float64) - actions[1]).max() > TOLERANCE:
            return step.step
    return None


def measure(config: Config, name: str, model: Path, folder: Path) -> Row:
    """Records one policy, and replays it with the served file and with the changed one."""
    path, other = folder / f"{model.stem}.mcap", folder / f"{model.stem}-changed.onnx"
    record(config, model, path)
    steps = steps_of(path)
    same = PolicyReplay(OnnxPolicy(model)).run(steps)
    # From the first reset on, both ways know the state.
    first = next(i for i, step in enumerate(steps) if step.state_age == 0)
    expected = None
    for _ in changes(model, other):
        expected = first_difference(model, other, steps[first:])
        if expected is not None:
            break
    changed = PolicyReplay(OnnxPolicy(other)).run(steps[first:])
    states = sum(1 for _ in Recording([path]).messages((TELEMETRY_CHANNEL,)))
    return Row(
        model=name,
        steps=same.replayed,
        different=same.different,
        largest=same.largest,
        found=None if changed.first is None else changed.first.step,
        expected=expected,
        difference=0.0 if changed.first is None else changed.first.size,
        mb_per_minute=path.stat().st_size / 1e6 * STATES_PER_MINUTE / max(states, 1),
    )


def main(config: Config) -> None:
    """Measures all policies, prints the table and writes the result."""
    rows: list[Row] = []
    for name, model in names_of(config.models).items():
        if load_manifest(model).plant is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(config, name, model, Path(folder)))
        print(f"{name} done", file=sys.stderr)
    headers = ["policy", "steps", "different", "largest", "changed weight found", "expected"]
    print_table(
        [*headers, "by", "MB a minute"],
        [
            [
                *(row.model, str(row.steps), str(row.different), f"{row.largest:.3g}"),
                *(f"step {row.found}", f"step {row.expected}", f"{row.difference:.2g}"),
                f"{row.mb_per_minute:.2f}",
            ]
            for row in rows
        ],
    )
    write_json(config.json, {"rows": [asdict(row) for row in rows]})
    if any(row.different or row.found != row.expected for row in rows):
        raise SystemExit("a recording did not replay")


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.replay", description=__doc__)
