"""Configuration of a training run: one tree of dataclasses for flags, config.json and manifest."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from skill_proto.manifest import describe_errors
from skill_robots.tasks.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.errors import ConfigError

AlgorithmConfig = CsfConfig | MetraConfig
ALGORITHMS: dict[str, type[AlgorithmConfig]] = {"csf": CsfConfig, "metra": MetraConfig}

DEFAULT_ENV_STEPS = 1_600_000
"""50,000 gradient steps; skills reach every direction after 10,000 and fill out until the end."""

TRAINING_TASK = TabletopConfig(
    stiffness_scale=(0.85, 1.15), latency_s=(0.0, 0.02), sensor_noise=1.0, start="mixed"
)
"""What a policy must bear to leave the simulation it was trained in."""

PositiveInt = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RunSettings:
    """Length, seed, device and bookkeeping of a run."""

    seed: Count = 0
    """Seed of networks, skills, scenes and batches. A run repeats exactly on one machine."""

    env_steps: PositiveInt = DEFAULT_ENV_STEPS
    """Environment steps to collect, rounded up to whole episodes of all scenes."""

    env_steps_per_update: PositiveInt = 32
    """Environment steps per gradient step. 32 is the ratio of the CSF and METRA codes where the
    state is observed (Ant, HalfCheetah)."""

    n_envs: PositiveInt = 32
    """Scenes stepped together."""

    warmup_steps: Count = 10_000
    """Environment steps with uniform random actions, and no gradient steps, at the start."""

    replay_capacity: PositiveInt = 1_000_000
    """Transitions kept in replay; the oldest make room."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where networks and replay live. 'cuda' fails where there is no CUDA device."""

    threads: PositiveInt = 1
    """Threads of torch and of the physics. On a shared CPU one is fastest."""

    log_interval: PositiveInt = 16_000
    """Environment steps between two records of losses and speed."""

    eval_interval: PositiveInt = 80_000
    """Environment steps between two evaluations."""

    eval_skills: Annotated[int, Field(ge=2)] = 48
    """Skills in an evaluation, each run once, and in the final one four times."""

    final_eval_goals: PositiveInt = 128
    """Goals in the final evaluation."""

    checkpoint_interval: PositiveInt = 160_000
    """Environment steps between two checkpoints."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainConfig:
    """Everything that decides what a run computes."""

    algorithm: AlgorithmConfig
    """The algorithm's own settings."""

    task: TabletopConfig = TRAINING_TASK
    """What varies between episodes."""

    run: RunSettings = RunSettings()
    """Length, seed, device and bookkeeping."""

    def __post_init__(self) -> None:
        """Refuses combinations that cannot work.

        Raises:
            ConfigError: the replay is smaller than one round of episodes, a range of the task is
                empty or holds impossible values, or its times do not fit the control period.
        """
        for name in ("mass", "friction", "stiffness_scale"):
            _check_range(name, getattr(self.task, name), positive=True)
        _check_range("latency_s", self.task.latency_s, positive=False)
        _check_times(self.task)
        per_round = self.run.n_envs * self.task.episode_steps
        if self.run.replay_capacity < per_round:
            raise ConfigError(
                f"--replay-capacity {self.run.replay_capacity} is less than one round of episodes "
                f"({self.run.n_envs} scenes x {self.task.episode_steps} steps = {per_round})"
            )

    @property
    def algorithm_name(self) -> str:
        """'csf' or 'metra'."""
        return next(name for name, kind in ALGORITHMS.items() if type(self.algorithm) is kind)

    @property
    def command(self) -> str:
        """The shortest command that gives this configuration."""
        default = TrainConfig(algorithm=ALGORITHMS[self.algorithm_name]())
        parts = ["skill-train", self.algorithm_name, "--seed", str(self.run.seed)]
        for path, (_, now) in differences(default, self).items():
            if path != "run.seed":
                parts += [_flag(path, self.algorithm_name), *_words(now)]
        return " ".join(parts)


def _check_range(name: str, interval: tuple[float, float], *, positive: bool) -> None:
    low, high = interval
    above = low > 0 if positive else low >= 0
    if not (above and low <= high < math.inf):
        raise ConfigError(
            f"--task.{name.replace('_', '-')} {low} {high} is no range; give the lower bound, "
            f"{'above' if positive else 'at least'} 0, and then the upper"
        )


def _check_times(task: TabletopConfig) -> None:
    """Refuses what the tabletop would round: the manifest would say another plant than it had."""
    steps = CONTROL_PERIOD_S / task.physics_step_s
    if abs(steps - round(steps)) > 1e-6:
        raise ConfigError(
            f"--task.physics-step-s {task.physics_step_s:g} is no whole part of the control period "
            f"of {CONTROL_PERIOD_S:g} s; take 0.005, or another that divides it"
        )
    longest = CONTROL_PERIOD_S - task.physics_step_s
    if task.latency_s[1] > longest + 1e-9:
        raise ConfigError(
            f"--task.latency-s {task.latency_s[0]:g} {task.latency_s[1]:g} is too long: an action "
            f"takes effect within its own control step, {longest:g} s late at the most"
        )


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """Plain JSON values; the algorithm's settings stand under its name."""
    plain: dict[str, Any] = json.loads(TypeAdapter(TrainConfig).dump_json(config))
    settings = plain.pop("algorithm")
    return {"algorithm": {"name": config.algorithm_name, **settings}, **plain}


def config_to_json(config: TrainConfig) -> str:
    """What config.json holds."""
    return json.dumps(config_to_dict(config), indent=2)


def config_from_json(text: str) -> TrainConfig:
    """Reads what :func:`config_to_json` wrote.

    Raises:
        ConfigError: not JSON, or with missing, unknown or wrong settings; the message names them.
    """
    try:
        plain = json.loads(text)
        settings = dict(plain.pop("algorithm"))
        kind = ALGORITHMS[settings.pop("name")]
        algorithm = TypeAdapter(kind).validate_python(settings)
        return TypeAdapter(TrainConfig).validate_python({"algorithm": algorithm, **plain})
    except ValidationError as error:
        raise ConfigError(f"not a valid configuration: {describe_errors(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"not a configuration of skill-train: {error!r}") from None


def differences(before: TrainConfig, after: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by dotted path: ``{"run.seed": (0, 1)}``."""
    old, new = _flatten(config_to_dict(before)), _flatten(config_to_dict(after))
    return {
        path: (old.get(path), new.get(path))
        for path in (*old, *(path for path in new if path not in old))
        if old.get(path) != new.get(path)
    }


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat |= _flatten(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return flat


def _flag(path: str, algorithm: str) -> str:
    path = path.removeprefix("run.")
    if path.startswith("algorithm."):
        path = f"{algorithm}.{path.removeprefix('algorithm.')}"
    return "--" + path.replace("_", "-")


def _words(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item) for item in values]
