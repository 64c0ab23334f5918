"""skill-web: a served arm in a browser."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass, field
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, arg

from skill_runtime.cli.flag_texts import as_flags, exit_code_of
from skill_runtime.cli.subscribers.server_options import Ending, SteeredServerOptions
from skill_runtime.cli.subscribers.web_options import (
    PAGE_PORT,
    cannot_listen,
    check_page,
    page_url,
)
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.console.exit_codes import USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.program import VERSION_HINT, print_error

# Other imports are local: '--help' and a mistyped flag answer at once.

PARENT = "SKILL_WEB_PARENT"
"""Environment variable with the process id of skill-serve, with which the page ends."""

NICE = 5
"""By how much the processes of the server on the same machine come first (nice(2))."""

TIMEOUT_S = 1.0
"""Longest wait for an answer of the server [s]."""

DESCRIPTION = (
    "Show a served arm in a browser, and steer it: skill, goal, hold, stop, clear; estimates of "
    "the object, timing and events. Open the address that is printed; it has a token. `skill-serve "
    "--web` does the same beside its server. See docs/web-page.md. " + VERSION_HINT
)


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The command line."""

    server: OmitArgPrefixes[SteeredServerOptions] = field(default_factory=SteeredServerOptions)
    """The server."""
    host: Annotated[str, arg(metavar="HOST")] = "127.0.0.1"
    """Address of this machine on which the page listens. Any but 127.0.0.1 needs a server with
    keys; the browser's connection is not encrypted."""
    port: Annotated[int, arg(metavar="PORT")] = PAGE_PORT
    """Port of the page; 0 takes a free one."""

    def client(self) -> SkillClient:
        """Returns a client of the server.

        Raises:
            ClientError: An address or a key is wrong.
        """
        return self.server.client("skill-web", timeout_s=TIMEOUT_S)


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    options = tyro.cli(WebOptions, prog="skill-web", description=DESCRIPTION)
    try:
        _serve(options)
    except UsageError as error:
        print_error("skill-web", error)
        sys.exit(USAGE)
    except ClientError as error:
        print_error("skill-web", as_flags(error, address=options.server.address))
        sys.exit(exit_code_of(error))


def _serve(options: WebOptions) -> None:
    ending, parent = Ending(), os.environ.get(PARENT)
    if parent is not None:
        os.nice(NICE)
    with options.client() as client:  # a wrong address or key is an error now
        check_page("skill-web", options.host, options.port, "", has_keys=client.keys is not None)
    from skill_runtime.subscribers.web.access import new_token
    from skill_runtime.subscribers.web.page import Page
    from skill_runtime.subscribers.web.server import PageConfig

    config = PageConfig(host=options.host, port=options.port, token=new_token())
    try:
        page = Page(config, options.client, _holder(), options.server.telemetry_address)
    except OSError as error:  # another program took the port since it was checked
        raise cannot_listen(options.host, options.port, error) from None
    print(f"page       {page_url(options.host, page.port, config.token)}", flush=True)
    with contextlib.redirect_stdout(None):  # viser prints that it ends
        page.run(lambda: ending.asked or (parent is not None and str(os.getppid()) != parent))


def _holder() -> str:
    return f"web page {os.getpid()}@{socket.gethostname()}"[:256]


if __name__ == "__main__":
    from skill_runtime.console.program import run_program

    run_program("skill-web", main)
