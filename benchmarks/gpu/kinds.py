"""One short training of each kind: its command, and the speeds that it logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Device = Literal["cpu", "cuda"]

ONE_HOT = "--metra.skills one_hot --metra.representation.size 16"
LARGE = "--csf.hidden 1024 1024 --csf.batch-size 1024 --csf.representation.form mlp"

FEW_SKILLS = "--eval-skills 4 --final-eval-goals 4"
FEW_GOALS = "--eval-goals 4 --final-eval-goals 4"
FEW_EPISODES = "--eval-episodes 1 --final-eval-episodes 1"
FEW_CONTEXTS = "--eval-episodes 2 --final-eval-episodes 2"
"""Scores are not of interest here, and would take longer than the training."""

PROGRAM = [sys.executable, "-c", "from skill_training.entry import main; main()"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One training."""

    title: str
    flags: str
    """Words behind ``skill-train``, but steps, device and folder."""
    env_steps: int
    """Environment steps; a few hundred gradient steps."""


KINDS = (
    Kind(title="CSF, tabletop", flags=f"csf --warmup-steps 3200 {FEW_SKILLS}", env_steps=16_000),
    Kind(
        title="METRA, HalfCheetah, 16 skills",
        flags=f"metra --world half_cheetah {ONE_HOT} --warmup-steps 6400 {FEW_SKILLS}",
        env_steps=19_200,
    ),
    Kind(
        title="CSF, Ant",
        flags=f"csf --world ant --warmup-steps 6400 {FEW_SKILLS}",
        env_steps=19_200,
    ),
    Kind(
        title="CSF, Ant, networks of 1024, batch of 1024",
        flags=f"csf --world ant {LARGE} --warmup-steps 6400 {FEW_SKILLS}",
        env_steps=12_800,
    ),
    Kind(title="goals with a context encoder", flags=f"goal {FEW_GOALS}", env_steps=19_200),
    Kind(title="SaTESAC, skill-aware", flags=f"satesac {FEW_EPISODES}", env_steps=4_000),
    Kind(
        title="SaTESAC, HalfCheetah of varied mass",
        flags=f"context --task.episode-steps 200 --warmup-steps 1600 {FEW_CONTEXTS}",
        env_steps=16_000,
    ),
)
"""Every kind of training; the networks of 1024 are those of the papers."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Speeds of one training; None if it failed."""

    updates_per_s: float | None
    env_steps_per_s: float | None
    wall_s: float | None
    error: str = ""


def train(kind: Kind, device: Device, env_steps: int | None = None) -> Speed:
    """Trains once and returns the speeds of the last record of its log.

    Args:
        kind: The training.
        device: Device of networks and replay.
        env_steps: Environment steps in place of those of the kind.
    """
    steps = str(env_steps or kind.env_steps)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        flags = ["--device", device, "--env-steps", steps, "--log-interval", str(int(steps) // 2)]
        ends = ["--run-dir", str(run), "--eval-interval", steps]
        done = subprocess.run(
            [*PROGRAM, *kind.flags.split(), *flags, *ends],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            return Speed(updates_per_s=None, env_steps_per_s=None, wall_s=None, error=lines[-1])
        return read_speed(run / "metrics.jsonl")


def read_speed(log: Path) -> Speed:
    """Returns the speeds of the last record that has them."""
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    last = next(record for record in reversed(records) if "speed/updates_per_s" in record)
    return Speed(
        updates_per_s=float(last["speed/updates_per_s"]),
        env_steps_per_s=float(last["speed/env_steps_per_s"]),
        wall_s=float(last["wall_time_s"]),
    )
