"""The subcommands of skill-manifest. Heavy modules are imported when one runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from skill_proto.printable import printable
from skill_runtime.cli.manifest.draft_file import check_draft_file
from skill_runtime.console.exit_codes import FAILED, OK
from skill_runtime.console.flags import ModelFlag, model_file
from skill_runtime.console.output_file import write_file

Robot = Literal["panda", "fr3"]


@dataclass(frozen=True, kw_only=True)
class DraftCommand:
    """Write a manifest with all that the graph and its metadata tell, if the file carries none."""

    model: Positional[Annotated[ModelFlag, arg(metavar="MODEL")]]
    """ONNX file."""
    like: Annotated[
        Robot | None, arg(metavar="{panda,fr3}", help_behavior_hint="(default: unknown)")
    ] = None
    """Arm of training: its stiffness, damping and physics step are those of docs/plant.md."""
    output: Annotated[
        Path | None, arg(metavar="FILE", help_behavior_hint="(default: MODEL.manifest.json)")
    ] = None
    """File to write; '-' prints the draft."""
    force: bool = False
    """Replace an existing manifest; no other file is replaced."""

    def run(self) -> int:
        """Writes the draft, prints the entries to fill in by hand, and returns the exit code."""
        from skill_runtime.policy.foreign.draft import draft_manifest

        model = model_file(self.model)
        draft = draft_manifest(model, self.like)
        text = format_manifest(draft.manifest)
        place = self.output or self.model.with_suffix(".manifest.json")
        if str(place) == "-":
            print(text, end="")
            return OK
        check_draft_file(place, model, force=self.force)
        write_file(place, text.encode())
        print(f"wrote {printable(str(place))}. Fill in each null, and confirm:")
        for line in draft.to_do:
            print(f"  - {printable(line)}")
        print(f"then: skill-manifest check {printable(str(self.model))}")
        return OK


@dataclass(frozen=True, kw_only=True)
class Check:
    """Name each problem of a manifest with its fix, and its meaning in physical units."""

    model: Positional[Annotated[ModelFlag, arg(metavar="MODEL")]]
    """ONNX file with its manifest inside or beside it, or the name of a model that comes with
    skill-serve."""
    robot: Annotated[Robot, arg(metavar="{panda,fr3}")] = "panda"
    """Arm that is to run the policy."""

    def run(self) -> int:
        """Prints the problems, or the meaning of a manifest without any; returns the exit code."""
        from skill_runtime.policy.foreign.draft import ARMS
        from skill_runtime.policy.foreign.explain import find_problems, meaning, remarks

        with _each_warning_once():  # both readers of the file warn
            problems, manifest = find_problems(model_file(self.model), ARMS[self.robot])
        for problem in problems:
            print(f"problem: {printable(problem)}")
        if manifest is not None and manifest.plant is not None and not problems:
            for line in meaning(manifest):
                print(printable(line))
            for line in remarks(manifest, ARMS[self.robot]):
                print(f"remark: {printable(line)}")
        if problems:
            return FAILED
        shown = printable(str(self.model))
        print(f"{shown} can be served: skill-serve --model {shown}")
        return OK


@contextmanager
def _each_warning_once() -> Generator[None]:
    """Leaves out a warning on a policy file that was given before in the block."""
    from skill_runtime.policy import policy_file

    given: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        is_known = text in given
        given.add(text)
        return not is_known

    policy_file.logger.addFilter(is_new)
    try:
        yield
    finally:
        policy_file.logger.removeFilter(is_new)


def format_manifest(manifest: dict[str, Any]) -> str:
    """Returns JSON with one line for each field of the observation, part of the action and so on.

    A person edits this text, so a list of numbers does not take a line per number.
    """
    lines = [
        f" {json.dumps(key)}: {_rows(value) if _is_list_of_parts(value) else _entry(value)}"
        for key, value in manifest.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _is_list_of_parts(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _rows(parts: list[Any]) -> str:
    return "[\n" + ",\n".join(f"  {json.dumps(part)}" for part in parts) + "\n ]"


def _entry(value: object) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    items = (f"  {json.dumps(key)}: {json.dumps(inner)}" for key, inner in value.items())
    return "{\n" + ",\n".join(items) + "\n }"
