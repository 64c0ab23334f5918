"""The server of the page: viser's, behind a token, on an address that is free, and silent."""

from __future__ import annotations

import contextlib
import errno
import http
import http.client
import io
import os
from dataclasses import dataclass

import viser

from skill_runtime.subscribers.web.access import guard
from skill_runtime.transport.addresses import free_port

_PORT_OVERRIDE = "_VISER_PORT_OVERRIDE"
"""Variable with which viser takes another port than the given one."""

CHECK_S = 5.0
"""Longest wait for the first answer of the page to this program [s]."""


@dataclass(frozen=True, kw_only=True)
class PageConfig:
    """Where the page is, and how it is opened."""

    host: str
    """Address of this machine on which it listens."""
    port: int
    """0 takes a free one."""
    token: str
    """Opens the page, see access.py."""


class PageServer(viser.ViserServer):
    """A server that stays private: no request of a tab opens a tunnel to the public."""

    def request_share_url(self, verbose: bool = True) -> None:
        """Opens no tunnel, whichever tab asks for one."""
        del verbose


def open_server(config: PageConfig) -> PageServer:
    """Opens the page.

    Raises:
        OSError: The address cannot be used, or is in use.
        RuntimeError: The page would answer without the token.
    """
    os.environ.pop(_PORT_OVERRIDE, None)
    port = free_port(config.host, config.port)
    # viser prints a frame with its addresses, which lack the token.
    with contextlib.redirect_stdout(io.StringIO()), guard(config.token, port):
        server = PageServer(host=config.host, port=port, label="skill-serve", verbose=False)
    try:
        _check(server, config, port)
    except BaseException:
        server.stop()
        raise
    return server


def _check(server: viser.ViserServer, config: PageConfig, port: int) -> None:
    """Checks that the page is where it should be, and that it needs the token."""
    if server.get_port() != port:  # viser takes the next one if another program was faster
        raise OSError(errno.EADDRINUSE, "another program took the port")
    try:
        refuses = _refuses_strangers(server, config)
    except OSError as error:
        raise OSError(errno.EIO, f"the page does not answer this program ({error})") from None
    if not refuses:
        raise RuntimeError("the page answers without a token; this version of viser is not known")


def _refuses_strangers(server: viser.ViserServer, config: PageConfig) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)
    connection = http.client.HTTPConnection(host, server.get_port(), timeout=CHECK_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == http.HTTPStatus.FORBIDDEN
    finally:
        connection.close()
