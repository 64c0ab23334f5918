"""A run directory: resolved configuration, provenance, checkpoint, metrics and the exported policy.

config.json     the resolved configuration
run.json        command, code revision, machine, precision of matrix products, versions, start time
checkpoint.pt   the whole state, from which the run continues
metrics.jsonl   one record per log interval and per evaluation; tensorboard/ has the same records
policy.onnx     the finished policy, and its card policy.md
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from skill_proto.validation_text import describe_errors
from skill_training.config import TrainConfig, config_to_json, differences
from skill_training.errors import ConfigError, RunDirectoryError
from skill_training.run.config_io import config_from_json

NEEDED_FACTS = ("code_revision", "machine", "versions")
"""Entries of run.json that an export needs."""


class RunDirectory:
    """Paths and small files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoint(self) -> Path:
        """The checkpoint, replaced atomically."""
        return self.path / "checkpoint.pt"

    @property
    def policy(self) -> Path:
        """The exported policy of a finished run."""
        return self.path / "policy.onnx"

    @property
    def card(self) -> Path:
        """The card of the exported policy."""
        return self.policy.with_suffix(".md")

    @property
    def has_run(self) -> bool:
        """Whether a run was started here."""
        return self._config.is_file()

    @property
    def _config(self) -> Path:
        return self.path / "config.json"

    @property
    def _run(self) -> Path:
        return self.path / "run.json"

    def create(self, config: TrainConfig, facts: dict[str, Any]) -> None:
        """Starts a run here: writes its configuration, and ``facts`` about machine and software.

        Raises:
            RunDirectoryError: the directory cannot be written, or holds other files.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            others = sorted(entry.name for entry in self.path.iterdir())
            if others:
                raise RunDirectoryError(
                    f"{self.path} is not empty and not a run directory ({', '.join(others[:3])}); "
                    "choose another --run-dir"
                )
            started = datetime.now(UTC).isoformat(timespec="seconds")
            _write(self._run, json.dumps({**facts, "started": started}, indent=2))
            # Last, since a directory with this file counts as a run.
            _write(self._config, config_to_json(config))
        except OSError as error:
            raise RunDirectoryError(
                f"cannot create the run directory {self.path}: {error}"
            ) from None

    def config(self) -> TrainConfig:
        """Returns the configuration of the run.

        Raises:
            RunDirectoryError: there is no run here, or its configuration cannot be read.
        """
        if not self.has_run:
            raise RunDirectoryError(
                f"{self.path} is not a run directory (no config.json); give the directory that "
                "skill-train printed when the run started"
            )
        try:
            return config_from_json(self._config.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            raise RunDirectoryError(f"cannot read {self._config}: {error}") from None

    def resolved_config(self) -> TrainConfig:
        """Returns the configuration with the matrix-product precision that the run began with.

        A run keeps this precision on every machine that continues it. The directory of an older
        release does not record it: its configuration is returned unchanged.

        Raises:
            RunDirectoryError: there is no run here, or a file of it cannot be read.
        """
        config = self.config()
        precision = self.facts().get("matmul", config.run.matmul)
        try:
            return replace(config, run=replace(config.run, matmul=precision))
        except ValidationError as error:
            raise RunDirectoryError(f"cannot read {self._run}: {describe_errors(error)}") from None

    def facts(self) -> dict[str, Any]:
        """Returns the facts that :meth:`create` wrote about the run.

        Raises:
            RunDirectoryError: run.json is missing or damaged.
        """
        try:
            facts: dict[str, Any] = json.loads(self._run.read_text(encoding="utf-8"))
            missing = [name for name in NEEDED_FACTS if name not in facts]
        except (OSError, ValueError, TypeError) as error:
            raise RunDirectoryError(f"cannot read {self._run}: {error}") from None
        if missing:
            raise RunDirectoryError(f"{self._run} lacks {', '.join(missing)}")
        return facts

    def check_same(self, config: TrainConfig) -> None:
        """Refuses to continue the run here with other settings.

        Raises:
            RunDirectoryError: ``config`` differs; the message names the settings that differ.
        """
        changed = differences(self.config(), config)
        if changed:
            listed = "; ".join(
                f"{name} is {was}, not {now}" for name, (was, now) in changed.items()
            )
            raise RunDirectoryError(
                f"{self.path} holds a run with other settings ({listed}); continue that run with "
                f"--resume {self.path}, or choose another --run-dir"
            )


def default_path(config: TrainConfig) -> Path:
    """Returns ``logs/<algorithm>/<UTC time>_seed<seed>``."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return Path("logs") / config.algorithm_name / f"{stamp}_seed{config.run.seed}"


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
