"""A run directory: resolved configuration, provenance, checkpoint, metrics and the exported policy.

config.json     the resolved configuration, with the changes of later sessions
run.json        command, code revision, machine, precision of matrix products, versions, start time,
                and the same for each session
run.lock        locked by the process that writes here
checkpoint.pt   the whole state, from which the run continues
metrics.jsonl   one record per log interval and per evaluation; tensorboard/ has the same records
policy.onnx     the finished policy, and its card policy.md
"""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from skill_proto.files.atomic_file import replace_text
from skill_proto.validation_text import describe_errors
from skill_training.config import TrainConfig, config_to_json, differences
from skill_training.errors import ConfigError, RunDirectoryError
from skill_training.run.config_io import config_from_json, flags_between
from skill_training.run.session import changes, ending, lock
from skill_training.run.session.record import Facts, check_facts, now, unknown_facts

logger = logging.getLogger(__name__)

EXPORTED = "exported_env_steps"
"""Entry of run.json: environment steps at the last export; None while there are more.

A policy that cannot be served by design has this entry and no file.
"""


class RunDirectory:
    """Paths and small files of one run."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._writing = False
        self._warned = False

    @property
    def checkpoint(self) -> Path:
        """The checkpoint, replaced atomically."""
        return self.path / ending.CHECKPOINT

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
    def is_finished(self) -> bool:
        """Whether a run here has trained and exported its policy, which may have no file."""
        if self.policy.is_file():
            return True
        return self.has_run and self.facts().get(EXPORTED) is not None

    @contextmanager
    def writing(self, activity: str = "trains") -> Generator[None]:
        """Keeps other processes from writing here inside the block. Blocks may be nested.

        Args:
            activity: Verb for the message to other processes.

        Raises:
            RunDirectoryError: another process writes here, or the directory cannot be written.
        """
        if self._writing:
            yield
            return
        with lock.locked(self.path, activity):
            self._writing = True
            try:
                yield
            finally:
                self._writing = False

    @property
    def _config(self) -> Path:
        return self.path / "config.json"

    @property
    def _run(self) -> Path:
        return self.path / "run.json"

    def create(self, config: TrainConfig, facts: dict[str, Any]) -> None:
        """Starts a run here: writes its configuration, and ``facts`` about machine and software.

        Raises:
            RunDirectoryError: the directory cannot be written, holds other files, or another
                process begins a run here.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # First without the lock, whose file must not be left beside the files of a user.
            self._check_empty()
            with self.writing():
                self._check_empty()
                replace_text(self._run, _json({**facts, "started": now()}))
                # Last, since a directory with this file counts as a run.
                replace_text(self._config, config_to_json(config) + "\n")
        except OSError as error:
            raise RunDirectoryError(
                f"cannot create the run directory {self.path}: {error}"
            ) from None

    def _check_empty(self) -> None:
        names = sorted(entry.name for entry in self.path.iterdir() if entry.name != lock.FILE_NAME)
        if self._config.name in names:
            raise RunDirectoryError(
                f"another process has just begun a run in {self.path}; choose another --run-dir"
            )
        if names:
            raise RunDirectoryError(
                f"{self.path} is not empty and not a run directory ({', '.join(names[:3])}); "
                "choose another --run-dir"
            )

    def write_config(self, config: TrainConfig) -> None:
        """Replaces the configuration of the run here.

        Raises:
            RunDirectoryError: the file cannot be written.
        """
        self._replace(self._config, config_to_json(config) + "\n")

    def write_facts(self, facts: dict[str, Any]) -> None:
        """Replaces the facts about the run here.

        Raises:
            RunDirectoryError: the file cannot be written.
        """
        self._replace(self._run, _json(facts))

    def _replace(self, path: Path, text: str) -> None:
        try:
            replace_text(path, text)
        except OSError as error:
            if not self.path.is_dir():
                raise RunDirectoryError(ending.gone(self.path)) from None
            raise RunDirectoryError(
                f"cannot write {path}: {error}; {ending.remedy(error)}"
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
            raise RunDirectoryError(
                f"cannot read {self._config}: {error}; restore this file, or begin a run in "
                "another --run-dir"
            ) from None

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
            raise RunDirectoryError(
                f"cannot read {self._run}: {describe_errors(error)}; restore this file, or "
                "delete it and give --matmul"
            ) from None

    def facts(self) -> Facts:
        """Returns the facts about the run that :meth:`create` and :meth:`write_facts` wrote.

        The run can go on without them: if run.json is missing or damaged, a warning says so, and
        the facts are those of an unknown origin.

        Raises:
            RunDirectoryError: the system cannot read run.json.
        """
        try:
            facts: Facts = json.loads(self._run.read_text(encoding="utf-8"))
            check_facts(facts)
        except ValidationError as error:
            return self._without_facts(f"{self._run} is damaged: {describe_errors(error)}")
        except (FileNotFoundError, ValueError) as error:
            return self._without_facts(f"cannot read {self._run}: {error}")
        except OSError as error:
            raise RunDirectoryError(
                f"cannot read {self._run}: {error}; {ending.remedy(error)}"
            ) from None
        return facts

    def _without_facts(self, problem: str) -> Facts:
        if not self._warned:
            logger.warning(
                "%s; the run goes on without it, and its policy will have an unknown origin; "
                "restore this file if you have a copy",
                problem,
            )
        self._warned = True
        return unknown_facts()

    def check_same(self, config: TrainConfig) -> None:
        """Refuses to continue the run here with other settings.

        Raises:
            RunDirectoryError: ``config`` differs; the message names the settings that differ.
        """
        own = self.config()
        changed = differences(own, config)
        if not changed:
            return
        listed = "; ".join(f"{name} is {was}, not {new}" for name, (was, new) in changed.items())
        command = ["skill-train", own.algorithm_name, "--resume", str(self.path)]
        if changed.keys() <= {f"run.{name}" for name in changes.CHANGEABLE}:
            # A run is lengthened, not shortened.
            steps = max(own.run.env_steps, config.run.env_steps)
            longest = replace(config, run=replace(config.run, env_steps=steps))
            command += flags_between(own, longest)
        raise RunDirectoryError(
            f"{self.path} holds a run with other settings ({listed}); continue that run with: "
            f"{shlex.join(command)}, or choose another --run-dir"
        )


def new_directory(config: TrainConfig) -> RunDirectory:
    """Makes the empty directory ``logs/<algorithm>/<UTC time>_seed<seed>`` for a new run.

    Runs of the same second get ``-2``, ``-3`` ... at the end.

    Raises:
        RunDirectoryError: the directory cannot be made.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{stamp}_seed{config.run.seed}"
    parent, number = Path("logs") / config.algorithm_name, 1
    while True:
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
            return RunDirectory(path)
        except OSError as error:
            # A folder above it that is a file also "exists".
            if not isinstance(error, FileExistsError) or not path.exists():
                message = f"cannot create the run directory {path}: {error}"
                raise RunDirectoryError(message) from None
            number += 1


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2) + "\n"
