"""The training loop: collect a round, update, and at intervals evaluate and save a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from skill_training.config import TrainConfig
from skill_training.device import configure_matmul, torch_device
from skill_training.errors import CheckpointError, ConfigError, DivergedError, UnsavedError
from skill_training.nets.finite import LossCheck, NotFiniteError, check_parts
from skill_training.recipes.recipe import Learner, Scalars
from skill_training.recipes.registry import recipe_for
from skill_training.run import checkpoint
from skill_training.run.best import EVALUATED, BestPolicy
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import MetricsLog
from skill_training.run.progress import Progress
from skill_training.run.session import ending

AtOnce = Callable[[], AbstractContextManager[None]]
"""Context manager whose block may be left by an exception at any time."""


class Trainer:
    """One run, from its first step or from a checkpoint to its final evaluation.

    Between two rounds :meth:`state_dict` is the whole state of the run. A run that continues from
    it takes bit for bit the same steps as a run without interruption, on the same kind of device.

    Raises:
        ConfigError: the device is not available, or settings do not fit each other.
    """

    def __init__(self, config: TrainConfig, directory: RunDirectory) -> None:
        run = config.run
        torch.set_num_threads(run.threads)
        self.config = config
        self.device = torch_device(run.device)
        configure_matmul(self.device, run.matmul)
        self.learner: Learner = recipe_for(config).build_learner(config, self.device)
        self.directory = directory
        self.updates = 0
        self.wall_time_s = 0.0
        self.best = BestPolicy(run.keep_best)
        self.final_metrics: Scalars | None = None
        self.saved_at: int | None = None
        """Environment steps of the checkpoint; None without one."""
        self._losses = LossCheck()
        self._speed = _Speed()

    @property
    def env_steps(self) -> int:
        """Environment steps collected."""
        return self.learner.env_steps

    @property
    def finished(self) -> bool:
        """Whether the final evaluation is done."""
        return self.final_metrics is not None

    # The loop -----------------------------------------------------------------------------------

    def run(
        self,
        log: MetricsLog,
        progress: Progress,
        stop: Callable[[], bool],
        at_once: AtOnce = nullcontext,
    ) -> bool:
        """Trains to the end or until ``stop()`` is true, and saves a checkpoint in both cases.

        Args:
            log: Metrics of the run.
            progress: Display, which also shows warnings.
            stop: Asked after each round.
            at_once: Surrounds the final evaluation, before which a checkpoint is saved.

        Returns:
            Whether the run is finished.

        Raises:
            DivergedError: a loss, a parameter or an action is not finite.
            UnsavedError: the last checkpoint cannot be written.
        """
        try:
            return self._loop(log, progress, stop) and self._finish(log, at_once)
        except NotFiniteError as error:
            raise DivergedError(
                ending.diverged(self.config, self.directory.path, str(error), self.saved_at)
            ) from None

    def _loop(self, log: MetricsLog, progress: Progress, stop: Callable[[], bool]) -> bool:
        """Trains until all environment steps are done, or until ``stop()`` is true."""
        total, shown = self.config.run.env_steps, dict[str, float]()
        while self.env_steps < total:
            losses = self._round()
            if self._due(self.config.run.log_interval):
                self._record(log, losses | self._speed.read())
            if self._due(self.config.run.eval_interval):
                shown = self.learner.evaluate_quick()
                self._record(log, {f"{EVALUATED}{name}": value for name, value in shown.items()})
                self._consider(shown)
            progress.update(min(self.env_steps, total), self._facts(shown))
            if stop():
                self._save_last()
                return False
            if self._due(self.config.run.checkpoint_interval):
                self._try_to_save(progress)
        return True

    def _consider(self, evaluation: Scalars) -> None:
        """Keeps the policy if its evaluation is the best.

        Raises:
            ConfigError: the evaluation does not have the metric; a checkpoint is saved before.
        """
        try:
            self.best.consider(self.learner, evaluation, self._counters())
        except ConfigError:
            self._save_last()
            raise

    def _round(self) -> Scalars:
        """Runs one round of episodes and the gradient steps that are due after it.

        Returns:
            Counts of the collection and losses, as logged.

        Raises:
            NotFiniteError: a loss, a parameter or an action is not finite.
        """
        start = time.perf_counter()
        counts = self.learner.collect_round()
        collected = time.perf_counter()
        run, losses = self.config.run, dict[str, torch.Tensor]()
        due = (self.env_steps - run.warmup_steps) // run.env_steps_per_update - self.updates
        for number in range(self.updates + 1, self.updates + due + 1):
            newest = self.learner.update()
            self._losses.note(number, newest)
            # Not every update has every loss, so the newest value of each loss is kept.
            losses |= newest
        self.updates += max(due, 0)
        self._check()
        scalars = {f"train/{name}": float(value) for name, value in losses.items()}
        scalars |= {f"collect/{name}": value for name, value in counts.items()}
        end = time.perf_counter()
        self.wall_time_s += end - start
        self._speed.add(self.learner.steps_per_round, collected - start, due, end - collected)
        return scalars

    def _check(self) -> None:
        """Checks losses, networks and optimisers after the gradient steps of a round.

        Raises:
            NotFiniteError: a number is not finite.
        """
        self._losses.check()
        try:
            check_parts(self.learner.stateful())
        except NotFiniteError as error:
            raise NotFiniteError(f"{error} after gradient step {self.updates}") from None

    def _finish(self, log: MetricsLog, at_once: AtOnce) -> bool:
        """Evaluates the policy that is exported and saves the finished run."""
        if self.saved_at != self.env_steps:
            self._save_last()
        start = time.perf_counter()
        with self.best.loaded(self.learner), at_once():
            metrics = self.learner.evaluate_full()
        self.wall_time_s += time.perf_counter() - start
        self._record(log, {f"final/{name}": value for name, value in metrics.items()})
        self.final_metrics = metrics
        self._save_last()
        return True

    def _due(self, interval: int) -> bool:
        """Returns whether the last round passed a multiple of ``interval`` environment steps."""
        before = self.env_steps - self.learner.steps_per_round
        return self.env_steps // interval > before // interval

    def _record(self, log: MetricsLog, metrics: Scalars) -> None:
        counters = {"updates": float(self.updates), "wall_time_s": round(self.wall_time_s, 2)}
        log.write(self.env_steps, counters | metrics)

    def _facts(self, metrics: Scalars) -> dict[str, str]:
        return self.learner.facts(metrics) | {"upd/s": f"{self._speed.updates_per_s:.0f}"}

    # Checkpoints --------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes the run's checkpoint.

        Raises:
            CheckpointError: it cannot be written; the previous one is kept.
        """
        checkpoint.save(self.directory.checkpoint, self.state_dict())
        self.saved_at = self.env_steps

    def _try_to_save(self, progress: Progress) -> None:
        """Writes the checkpoint if possible. Training goes on without it.

        Raises:
            UnsavedError: the run directory is gone.
        """
        try:
            self.save()
        except CheckpointError as error:
            self._check_directory()
            kept = ending.kept(self.directory.path, self.saved_at)
            progress.say(f"warning: {error}; {kept}; training goes on")

    def _save_last(self) -> None:
        """Writes the checkpoint with which this session ends.

        Raises:
            UnsavedError: it cannot be written.
        """
        try:
            self.save()
        except CheckpointError as error:
            self._check_directory()
            raise UnsavedError(
                ending.unsaved(self.config, self.directory.path, error, self.saved_at)
            ) from None

    def _check_directory(self) -> None:
        """Ends a session whose directory is gone.

        Raises:
            UnsavedError: the run directory is gone.
        """
        if not self.directory.path.is_dir():
            raise UnsavedError(ending.gone(self.directory.path)) from None

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds."""
        return {
            "learner": self.learner.state_dict(),
            **self._counters(),
            "final_metrics": self.final_metrics,
            "best": self.best.state,
        }

    def _counters(self) -> dict[str, Any]:
        return {
            "env_steps": self.env_steps,
            "updates": self.updates,
            "wall_time_s": self.wall_time_s,
        }

    def resume(self) -> None:
        """Restores the checkpoint of the run directory.

        A finished run that was lengthened continues without its final metrics.

        Raises:
            CheckpointError: the checkpoint is missing, damaged, does not fit the configuration, or
                has no replay to continue with.
        """
        state = checkpoint.load(self.directory.checkpoint, self.device)
        try:
            self.learner.load_state_dict(state["learner"])
            self.updates = int(state["updates"])
            self.wall_time_s = float(state["wall_time_s"])
            self.final_metrics = state["final_metrics"]
            self.best.restore(state.get("best"))  # older releases kept none
            without_replay = state["learner"]["replay"] is None
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.directory.checkpoint} does not fit the configuration beside it: {error}"
            ) from None
        self.saved_at = self.env_steps
        if self.env_steps < self.config.run.env_steps:
            self.final_metrics = None
            if without_replay:
                raise CheckpointError(
                    f"{self.directory.checkpoint} was finished by an older release, which left "
                    "out the replay; it can be exported, but not be trained further"
                )


class _Speed:
    """Environment steps and updates per second since the last reading."""

    def __init__(self) -> None:
        self._steps = self._updates = 0
        self._collecting = self._updating = 0.0
        self.updates_per_s = 0.0

    def add(self, steps: int, collecting_s: float, updates: int, updating_s: float) -> None:
        self._steps += steps
        self._collecting += collecting_s
        if updates > 0:
            self._updates += updates
            self._updating += updating_s
            self.updates_per_s = self._updates / self._updating

    def read(self) -> Scalars:
        """Returns the speeds by name, and resets the counters."""
        speeds = {"speed/env_steps_per_s": self._steps / self._collecting}
        if self._updates:
            speeds["speed/updates_per_s"] = self.updates_per_s
        self._steps = self._updates = 0
        self._collecting = self._updating = 0.0
        return speeds
