"""The training loop: collect a round, update, and at intervals evaluate and save a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from skill_training.config import TrainConfig
from skill_training.device import configure_matmul, torch_device
from skill_training.errors import CheckpointError
from skill_training.recipes.recipe import Learner, Scalars
from skill_training.recipes.registry import recipe_for
from skill_training.run import checkpoint
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import MetricsLog
from skill_training.run.progress import Progress


class Trainer:
    """One run, from its first step or from a checkpoint to its final evaluation.

    Between two rounds :meth:`state_dict` is the whole state of the run. A run that continues from
    it takes bit for bit the same steps as a run without interruption.

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
        self.final_metrics: Scalars | None = None
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

    def run(self, log: MetricsLog, progress: Progress, stop: Callable[[], bool]) -> bool:
        """Trains to the end or until ``stop()`` is true, and saves a checkpoint in both cases.

        Returns:
            Whether the run is finished.
        """
        total, shown = self.config.run.env_steps, dict[str, float]()
        while self.env_steps < total:
            losses = self._round()
            if self._due(self.config.run.log_interval):
                self._record(log, losses | self._speed.read())
            if self._due(self.config.run.eval_interval):
                shown = self.learner.evaluate_quick()
                self._record(log, {f"eval/{name}": value for name, value in shown.items()})
            progress.update(min(self.env_steps, total), self._facts(shown))
            if stop():
                self.save()
                return False
            if self._due(self.config.run.checkpoint_interval):
                self.save()
        self._finish(log)
        return True

    def _round(self) -> Scalars:
        """Runs one round of episodes and the gradient steps that are due after it."""
        start = time.perf_counter()
        self.learner.collect_round()
        collected = time.perf_counter()
        run, losses = self.config.run, dict[str, torch.Tensor]()
        due = (self.env_steps - run.warmup_steps) // run.env_steps_per_update - self.updates
        for _ in range(due):
            # Not every update has every loss, so the newest value of each loss is kept.
            losses |= self.learner.update()
        self.updates += max(due, 0)
        scalars = {f"train/{name}": float(value) for name, value in losses.items()}
        end = time.perf_counter()
        self.wall_time_s += end - start
        self._speed.add(self.learner.steps_per_round, collected - start, due, end - collected)
        return scalars

    def _finish(self, log: MetricsLog) -> None:
        start = time.perf_counter()
        metrics = self.learner.evaluate_full()
        self.wall_time_s += time.perf_counter() - start
        self._record(log, {f"final/{name}": value for name, value in metrics.items()})
        self.final_metrics = metrics
        self.save()

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
        """Writes the run's checkpoint."""
        checkpoint.save(self.directory.checkpoint, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds."""
        return {
            "learner": self.learner.state_dict(finished=self.finished),
            "env_steps": self.env_steps,
            "updates": self.updates,
            "wall_time_s": self.wall_time_s,
            "final_metrics": self.final_metrics,
        }

    def resume(self) -> None:
        """Restores the checkpoint of the run directory.

        Raises:
            CheckpointError: the checkpoint is missing, damaged, or does not fit the configuration.
        """
        state = checkpoint.load(self.directory.checkpoint, self.device)
        try:
            self.learner.load_state_dict(state["learner"])
            self.updates = int(state["updates"])
            self.wall_time_s = float(state["wall_time_s"])
            self.final_metrics = state["final_metrics"]
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.directory.checkpoint} does not fit the configuration beside it: {error}"
            ) from None


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
