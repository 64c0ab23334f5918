"""Where the web page is, as flags of skill-serve, and the checks of them.

The imports are light, so that '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Annotated

from tyro.conf import arg

from skill_proto.ports import MAX_PORT
from skill_runtime.cli.subscribers.server_options import check_installed
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.transport.addresses import free_port, is_loopback

PAGE_PORT = 5560

MODULES = ("viser", "mjviser")
"""What the page is made with: the extra `web`."""


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """A page for browsers, see docs/web-page.md."""

    web: bool = False
    """Show and steer the arm in a browser, by a process of its own; open the address that is
    printed."""
    web_host: Annotated[str, arg(metavar="HOST")] = "127.0.0.1"
    """Address of this machine on which the page listens; any but 127.0.0.1 needs keys, and the
    browser's connection is not encrypted."""
    web_port: int = PAGE_PORT
    """Port of the page; 0 takes a free one."""


def check_page_options(options: PageOptions, *, has_keys: bool) -> None:
    """Refuses a page of skill-serve that cannot be made; see :func:`check_page`."""
    if options.web:
        check_page(
            "skill-serve --web", options.web_host, options.web_port, "web-", has_keys=has_keys
        )
    elif options != PageOptions():
        raise UsageError("--web-host and --web-port are for the page of --web; give it, too")


def without_screen(options: PageOptions) -> PageOptions:
    """Returns the page that stands in for a viewer's window, on a free port if its own is in use.

    Without the extra `web` there is none, and the options stay as they are.
    """
    if options.web or any(find_spec(name) is None for name in MODULES):
        return options
    try:
        free_port(options.web_host, options.web_port)
    except OSError:
        return replace(options, web=True, web_port=0)
    return replace(options, web=True)


def check_page(program: str, host: str, port: int, prefix: str, *, has_keys: bool) -> None:
    """Checks that a page can be made and can listen.

    Args:
        program: Name of the program, for an error.
        host: Address of this machine.
        port: Its port; 0 for a free one.
        prefix: Of the flags ``--host`` and ``--port``.
        has_keys: Whether the server admits only clients with keys.

    Raises:
        UsageError: A library is missing; the address is in use or none of this machine; or it can
            be reached from other machines, and the server has no keys.
    """
    check_installed(program, "web", MODULES)
    check_number(f"{prefix}port", port, 0, MAX_PORT)
    if not is_loopback(host) and not has_keys:
        raise UsageError(
            f"--{prefix}host {host} can be reached from other machines, and the server has no "
            "keys; serve with keys (docs/security.md), or omit the flag and use a tunnel: ssh -L"
        )
    try:
        free_port(host, port)
    except OSError as error:
        raise cannot_listen(host, port, error, prefix) from None


def cannot_listen(host: str, port: int, error: OSError, prefix: str = "") -> UsageError:
    """Returns the error for an address on which the page cannot listen."""
    return UsageError(
        f"the page cannot listen on {host} port {port}: {error.strerror}; choose another port "
        f"with --{prefix}port, e.g. 0 for a free one"
    )


def page_url(host: str, port: int, token: str) -> str:
    """Returns the address that opens the page."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/?token={token}"
