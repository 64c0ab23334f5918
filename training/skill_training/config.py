"""Configuration of a training run: one tree of dataclasses for flags, config.json and manifest.

The annotated types (``PositiveInt`` ... ``Discount``) are the ranges that settings use.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass
from tyro.conf import arg
from tyro.constructors import PrimitiveConstructorSpec

from skill_proto.files.shipped_models import to_path

DEFAULT_ENV_STEPS = 1_600_000
"""About 50,000 gradient steps. Skills cover every direction after 10,000 and keep improving."""

PositiveInt = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=1 << 31)]
Threads = Annotated[int, Field(ge=1, le=1024)]
LayerSize = Annotated[int, Field(ge=1, le=8192)]
BatchSize = Annotated[int, Field(ge=1, le=100_000)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Discount = Annotated[float, Field(ge=0, lt=1)]

PolicyFlag = Annotated[
    Path,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda words: to_path(words[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    ),
]
"""Type of a flag that names a policy: as Path, but ``./csf_panda`` is no name of a model."""


class Settings(Protocol):
    """A frozen pydantic dataclass that refuses unknown fields."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


class AlgorithmSettings(Settings, Protocol):
    """Settings of an algorithm."""

    name: ClassVar[str]
    """Name of the algorithm in its subcommand, its flags and config.json."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RunSettings:
    """Length, seed, device and bookkeeping of a run. A recipe may add settings."""

    seed: Seed = 0
    """Seed of networks, skills, scenes and batches. On one machine a seed repeats a run exactly."""

    env_steps: PositiveInt = DEFAULT_ENV_STEPS
    """Environment steps to collect, rounded up to whole episodes of all scenes."""

    env_steps_per_update: PositiveInt = 32
    """Environment steps per gradient step. 32 is the ratio of the CSF and METRA code for tasks with
    state observations (Ant, HalfCheetah)."""

    n_envs: PositiveInt = 32
    """Number of scenes that are stepped together."""

    warmup_steps: Count = 10_000
    """Environment steps at the start with uniform random actions and without gradient steps."""

    replay_capacity: PositiveInt = 1_000_000
    """Maximum number of transitions in replay. New ones replace the oldest."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Device of networks and replay. 'cuda' needs a CUDA device."""

    matmul: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the inputs of matrix products. 'bfloat16' is faster and needs a CPU on which
    torch rounds to it, one with AMX. 'auto' is bfloat16 on such a CPU, else float32. The same seed
    gives other numbers in the other precision."""

    threads: Threads = 1
    """Number of threads of torch and of the physics. On a shared CPU one is fastest."""

    log_interval: PositiveInt = 16_000
    """Environment steps between two records of losses and speed."""

    eval_interval: PositiveInt = 80_000
    """Environment steps between two evaluations."""

    checkpoint_interval: PositiveInt = 160_000
    """Environment steps between two checkpoints."""

    keep_best: Annotated[str | None, arg(metavar="METRIC")] = None
    """Metric of the evaluations during training, such as success.seen, by whose largest value the
    exported policy is chosen. None: the last policy."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All settings that determine the results of a run.

    Each recipe defines a subclass: a frozen pydantic dataclass that names the types of algorithm,
    task and run settings. Its ``__post_init__`` raises ConfigError if settings cannot work
    together.
    """

    algorithm: AlgorithmSettings
    """The algorithm's own settings."""

    task: Settings
    """Quantities that vary between episodes."""

    run: RunSettings
    """Length, seed, device and bookkeeping."""

    preset: str | None = None
    """Value of ``--preset``: the row of settings from which the configuration began."""

    @property
    def world(self) -> str | None:
        """Value of ``--world``; None if the recipe has one world only."""
        return None

    @property
    def algorithm_name(self) -> str:
        """Name of the algorithm, such as 'csf'."""
        return self.algorithm.name


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """Returns the configuration as plain JSON values, with the algorithm's name in its settings."""
    preset = {} if config.preset is None else {"preset": config.preset}
    return {
        **preset,
        "algorithm": {"name": config.algorithm_name, **_plain(config.algorithm)},
        "task": _plain(config.task),
        "run": _plain(config.run),
    }


def config_to_json(config: TrainConfig) -> str:
    """Returns the content of config.json."""
    return json.dumps(config_to_dict(config), indent=2)


def differences(before: TrainConfig, after: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Returns the settings that differ, by dotted path: ``{"run.seed": (0, 1)}``."""
    old, new = flat_settings(before), flat_settings(after)
    return {
        path: (old.get(path), new.get(path))
        for path in (*old, *(path for path in new if path not in old))
        if old.get(path) != new.get(path)
    }


def flat_settings(config: TrainConfig) -> dict[str, Any]:
    """Returns all settings by dotted path: ``{"run.seed": 0, ...}``."""
    return _flatten(config_to_dict(config))


def _plain(settings: Settings) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(TypeAdapter(type(settings)).dump_json(settings))
    return plain


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat |= _flatten(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return flat
