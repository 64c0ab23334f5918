"""A browser's socket without a browser: it reads everything, and answers pings."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

import msgspec
import viser
import websockets.sync.client
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from skill_runtime.subscribers.web.access import cookie_name
from skill_runtime.subscribers.web.scene import EYE, LOOK_AT


class RawTab:
    """A tab of a page on this machine.

    Args:
        port: Port of the page.
        token: Its token.
    """

    def __init__(self, port: int, token: str) -> None:
        place = f"127.0.0.1:{port}"
        self._socket = websockets.sync.client.connect(
            f"ws://{place}/",
            origin=Origin(f"http://{place}"),
            additional_headers={"Cookie": f"{cookie_name(port)}={token}"},
            subprotocols=[Subprotocol(f"viser-v{viser.__version__}")],
            max_size=None,
            compression=None,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.send(
            "ViewerCameraMessage",
            wxyz=(1.0, 0.0, 0.0, 0.0),
            position=EYE,
            look_at=LOOK_AT,
            up_direction=(0.0, 0.0, 1.0),
            fov=0.8,
            near=0.01,
            far=100.0,
            image_height=800,
            image_width=1280,
        )

    def send(self, kind: str, **fields: object) -> None:
        """Sends one message of viser."""
        self._socket.send(msgspec.msgpack.encode({"type": kind, **fields}))

    def _read(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._socket.recv()

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_tab(url: str) -> RawTab:
    """Returns a tab of the page at an address with its token."""
    return RawTab(urlsplit(url).port or 0, url.partition("token=")[2])
