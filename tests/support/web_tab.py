"""A tab without a browser: the socket of a page, and the messages that a browser would send."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, Self

import msgspec
import viser
import websockets.sync.client
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from skill_runtime.subscribers.web.access import cookie_name
from skill_runtime.subscribers.web.page import Page
from skill_runtime.subscribers.web.panel import Action


class RawTab:
    """A tab of a page on this machine, which reads everything and answers pings.

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
            position=(1.0, 0.0, 1.0),
            look_at=(0.0, 0.0, 0.0),
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

    def set_value(self, server: viser.ViserServer, label: str, value: object) -> None:
        """Changes the widget with this label."""
        uuid = _widget(server, label)._impl.uuid
        self.send("GuiUpdateMessage", uuid=uuid, updates={"value": value})

    def press(self, page: Page, action: Action) -> None:
        """Presses a button."""
        server = page._server  # pyright: ignore[reportPrivateUsage]
        if action == "stop":
            self.set_value(server, "STOP", True)
        else:
            self.set_value(server, "", action)  # of the group

    def value(self, server: viser.ViserServer, label: str) -> Any:  # noqa: ANN401  of any type
        """Returns the value of the widget with this label, as all tabs are shown it."""
        return _widget(server, label).value

    def _read(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._socket.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join()


def _widget(server: viser.ViserServer, label: str) -> Any:  # noqa: ANN401  of several kinds
    widgets: Any = server.gui._gui_input_handle_from_uuid.values()  # pyright: ignore[reportPrivateUsage]
    return next(one for one in widgets if getattr(one, "label", None) == label)
