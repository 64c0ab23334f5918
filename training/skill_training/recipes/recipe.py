"""What a kind of training run must bring along: the seam between it and the training program.

Trainer, job, command line, run directory, export, card and plot know a run by this interface alone.
A new kind of run is one file in ``recipes/`` and one line in ``registry.py``; its subcommands, with
their flags and help, follow from what is declared here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from skill_proto.manifest import Evaluation, PolicyManifest, Provenance
from skill_training.config import AlgorithmSettings, TrainConfig
from skill_training.export.graph import PolicyGraph

Scalars = dict[str, float]


class Learner(Protocol):
    """What a run trains. The trainer only repeats rounds: collect, update, now and then evaluate.

    All randomness is in generators of its own, seeded from the configuration: between two rounds
    its whole state is in :meth:`state_dict`, and a learner continued from there takes the same
    steps, bit for bit, as one that was never stopped. Evaluations leave no trace in it.
    """

    @property
    def env_steps(self) -> int:
        """Environment steps collected."""
        ...

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        ...

    def collect_round(self) -> None:
        """Runs one round of episodes and stores them in replay."""
        ...

    def update(self) -> dict[str, Tensor]:
        """One gradient step on a batch of its own drawing; detached scalars, logged as train/."""
        ...

    def evaluate_quick(self) -> Scalars:
        """Metrics of an evaluation in mid-training, logged as eval/."""
        ...

    def evaluate_full(self) -> Scalars:
        """Metrics of the final evaluation: logged as final/, shipped in manifest and card."""
        ...

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """What the progress bar shows of a quick evaluation (none yet: empty), short and in order.

        ``{"moved>10cm": "0.97"}``.
        """
        ...

    def state_dict(self, *, finished: bool) -> dict[str, Any]:
        """Tensors, numbers, strings, and containers of them.

        A ``finished`` run is exported and needs its replay no more.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what :meth:`state_dict` gave.

        Raises:
            KeyError, ValueError, TypeError, RuntimeError: it is of something else.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a manifest says of a run, whatever was trained in it."""

    provenance: Provenance
    """Command, code revision, seed, steps, time, machine, versions and configuration."""

    metrics: Scalars
    """Of the final evaluation; empty if there was none."""

    @property
    def evaluation(self) -> Evaluation | None:
        """The final evaluation, where the training program alone can repeat it."""
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
    """Upper end of the axis, unless values lie above it; None: only the values decide."""


@dataclass(frozen=True, kw_only=True)
class CardNotes:
    """What a card says beyond the manifest."""

    limits: str
    """Limits of use, in Markdown."""
    metric_texts: Mapping[str, str]
    """What each metric of the final evaluation means; one that is not here stands by its name."""
    sections: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further sections by heading, in Markdown, such as what was learned from."""


ConfigT = TypeVar("ConfigT", bound=TrainConfig)


class Recipe(Protocol[ConfigT]):
    """One kind of run: its configuration, how to build its learner, and what it ships."""

    @property
    def config_types(self) -> Mapping[str, type[AlgorithmSettings]]:
        """Its algorithms' settings by their ``name``; each is a subcommand of ``skill-train``."""
        ...

    @property
    def summaries(self) -> Mapping[str, str]:
        """What each subcommand does, by name: one sentence, for its help."""
        ...

    @property
    def curves(self) -> Sequence[Curve]:
        """The curves to look at first; drawn where a run has logged them."""
        ...

    def default_config(self, name: str) -> ConfigT:
        """What ``skill-train <name>`` runs without flags."""
        ...

    def check(self, config: ConfigT) -> None:
        """Tries what a run needs, before a directory is made for it.

        Raises:
            ConfigError: it cannot work.
        """
        ...

    def build_learner(self, config: ConfigT, device: torch.device) -> Learner:
        """The learner at its start.

        Raises:
            ConfigError: it cannot be built.
        """
        ...

    def shipped(
        self, config: ConfigT, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """The policy in a learner's ``state``, on the CPU, and what its file says about itself.

        Only networks are loaded: a run trained on CUDA is exported where there is none, and the
        state of a CUDA generator cannot be loaded into one of the CPU.

        Raises:
            NothingToShipError: the policy is not one that could be served.
            KeyError, ValueError, TypeError, RuntimeError: the state does not fit the configuration.
        """
        ...

    def card_notes(self, config: ConfigT) -> CardNotes:
        """What the card says beyond the manifest."""
        ...


AnyRecipe = Recipe[Any]
