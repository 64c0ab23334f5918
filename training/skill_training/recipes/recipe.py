"""Interface between a kind of training run and the training program.

Trainer, job, command line, run directory, export, card and plot use a run only through this
interface. A new kind of run is one folder in ``recipes/`` and one line in ``registry.py``. Its
subcommands, flags and help are derived from the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_proto.manifest import Evaluation, PolicyManifest, Provenance
from skill_training.config import AlgorithmSettings, TrainConfig
from skill_training.export.graph import PolicyGraph

Scalars = dict[str, float]


class Learner(Protocol):
    """The trained part of a run. The trainer repeats rounds: collect, update, at times evaluate.

    All randomness is in the learner's own generators, seeded from the configuration. Between two
    rounds :meth:`state_dict` is the whole state, and a learner that continues from it takes bit for
    bit the same steps as one without interruption. Evaluations do not change the state.
    """

    @property
    def env_steps(self) -> int:
        """Environment steps collected."""
        ...

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        ...

    def stateful(self) -> Mapping[str, nn.Module | Optimizer]:
        """Returns the networks and optimisers by name. Their numbers must stay finite."""
        ...

    def collect_round(self) -> Scalars:
        """Runs one round of episodes and stores them in replay; returns counts, logged as collect/.

        Raises:
            NotFiniteError: an action of the policy is not finite, as in an evaluation.
        """
        ...

    def update(self) -> dict[str, Tensor]:
        """Takes one gradient step on a new batch; returns detached scalars, logged as train/."""
        ...

    def evaluate_quick(self) -> Scalars:
        """Returns the metrics of an evaluation during training, logged as eval/."""
        ...

    def evaluate_full(self) -> Scalars:
        """Returns the metrics of the final evaluation, logged as final/, for manifest and card."""
        ...

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """Returns short texts for the progress bar from the metrics of a quick evaluation.

        The metrics are empty before the first evaluation. Example: ``{"moved>10cm": "0.97"}``.
        """
        ...

    def close(self) -> None:
        """Ends the processes that the learner has started. It is not used any more then."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns tensors, numbers, strings, and containers of them, replay included."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`, on any device.

        A state that was written on another kind of device continues with new draws of the
        generators of that device. The replay may be missing: older releases left it out of the
        state of a finished run.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError: the state does not fit the learner.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """The parts of a manifest that are the same for every kind of run."""

    provenance: Provenance
    """Command, code revision, seed, steps, time, machine, versions and configuration."""

    metrics: Scalars
    """Metrics of the final evaluation; empty before it."""

    @property
    def evaluation(self) -> Evaluation | None:
        """The final evaluation, for recipes whose evaluation only ``skill-train`` can repeat."""
        if not self.metrics:
            return None
        command = f"{self.provenance.command} (final evaluation)"
        return Evaluation(command=command, metrics=dict(self.metrics))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One metric over training, as ``skill-train plot`` draws it."""

    name: str
    """As logged: 'eval/moved_share_10cm', 'train/critic/loss'."""
    title: str
    top: float | None = None
    """Upper end of the axis, unless values lie above it. None: the range of the values."""


@dataclass(frozen=True, kw_only=True)
class CardNotes:
    """Texts of a card that are not in the manifest."""

    limits: str
    """Limits of use, in Markdown."""
    goal_limits: str = ""
    """Further limits, of a policy that takes goals."""
    metric_texts: Mapping[str, str]
    """Descriptions of the final metrics, by name. A metric without one is listed by its name."""
    sections: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further sections by heading, in Markdown."""


ConfigT = TypeVar("ConfigT", bound=TrainConfig)


class Recipe(Protocol[ConfigT]):
    """One kind of run: its configuration, its learner, and its exported policy."""

    @property
    def config_types(self) -> Mapping[str, type[AlgorithmSettings]]:
        """Its algorithms' settings by their ``name``; each is a subcommand of ``skill-train``."""
        ...

    @property
    def summaries(self) -> Mapping[str, str]:
        """Help text of each subcommand, by name: one sentence."""
        ...

    @property
    def curves(self) -> Sequence[Curve]:
        """The main curves, which are drawn by default if a run has logged them."""
        ...

    def default_config(
        self, name: str, world: str | None = None, preset: str | None = None
    ) -> ConfigT:
        """Returns the configuration of ``skill-train <name>`` without flags.

        Args:
            name: Name of the algorithm.
            world: Value of ``--world``; None for the recipe's own.
            preset: Value of ``--preset``, which names its world; None without one.

        Raises:
            ConfigError: the recipe has no such world or preset.
        """
        ...

    def remarks(self, config: ConfigT) -> Sequence[str]:
        """Returns lines for the help and the start of a run, such as differences from a paper."""
        ...

    def check(self, config: ConfigT) -> None:
        """Checks that a run can start, before its directory is created.

        Raises:
            ConfigError: the run cannot start.
        """
        ...

    def build_learner(self, config: ConfigT, device: torch.device) -> Learner:
        """Returns the learner at its start.

        Raises:
            ConfigError: the learner cannot be built.
        """
        ...

    def shipped(
        self, config: ConfigT, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's ``state``, on the CPU, and its manifest.

        Only networks are loaded, so that a run trained on CUDA can be exported without CUDA: the
        state of a CUDA generator cannot be loaded into a CPU generator.

        Raises:
            NothingToShipError: the policy cannot be served.
            KeyError, ValueError, TypeError, RuntimeError: the state does not fit the configuration.
        """
        ...

    def card_notes(self, config: ConfigT) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        ...


AnyRecipe = Recipe[Any]
