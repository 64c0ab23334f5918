"""skill-manifest: drafts the manifest of a foreign ONNX file, and checks one."""

from __future__ import annotations

import sys
from typing import Annotated

import tyro

from skill_runtime.cli.manifest.subcommands import Check, DraftCommand
from skill_runtime.console.exit_codes import USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.program import VERSION_HINT, print_error

Subcommand = (
    Annotated[DraftCommand, tyro.conf.subcommand("draft")]
    | Annotated[Check, tyro.conf.subcommand("check")]
)


def main() -> None:
    """Runs one subcommand and exits with a code of exit_codes.py."""
    command = tyro.cli(
        Subcommand,
        prog="skill-manifest",
        description="Serve an ONNX policy of another project: 'skill-manifest draft MODEL' writes "
        "a manifest beside it with everything that the file tells, and lists what a person must "
        "fill in; 'skill-manifest check MODEL' names each problem that is left, with its fix. "
        "docs/foreign-policies.md has two examples. " + VERSION_HINT,
    )
    from skill_runtime.policy import PolicyFileError

    try:
        sys.exit(command.run())
    except (UsageError, PolicyFileError) as error:
        print_error("skill-manifest", error)
        sys.exit(USAGE)
