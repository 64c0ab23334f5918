"""skill-keys: makes keys, and allows clients of a server or revokes them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from skill_runtime.cli.keys.subcommands import AnySubcommand
from skill_runtime.console.exit_codes import USAGE
from skill_runtime.console.program import VERSION_HINT, print_error
from skill_runtime.security.keys import KeyFileError, default_folder


@dataclass(frozen=True, kw_only=True)
class KeysOptions:
    """The command line."""

    command: AnySubcommand
    folder: Annotated[
        Path | None,
        arg(metavar="FOLDER", help_behavior_hint="(default: ~/.config/skill-serve)"),
    ] = None
    """Folder of the keys."""


def main() -> None:
    """Runs one subcommand and exits with a code of exit_codes.py."""
    options = tyro.cli(
        KeysOptions,
        prog="skill-keys",
        description="Make the keys of a server and of its clients, and say which client may do "
        "what. A running server reads its authorized_keys again at each change. On the server: "
        "'skill-keys new server', then 'skill-keys allow NAME ROLES KEY' for each client. On each "
        "client: 'skill-keys new client'. " + VERSION_HINT,
        config=(
            tyro.conf.OmitArgPrefixes,
            tyro.conf.OmitSubcommandPrefixes,
            tyro.conf.CascadeSubcommandArgs,
        ),
    )
    folder = Path(os.path.expanduser(options.folder or default_folder()))  # which never raises
    try:
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise KeyFileError(f"{folder} is no folder; give the folder of the keys with --folder")
        options.command.run(folder)
    except (KeyFileError, ValueError) as error:
        print_error("skill-keys", error)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
