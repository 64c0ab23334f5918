"""A ROUTER socket in place of a server; the test defines every reply."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import zmq

from skill_proto.messages import Ok

Answer = Callable[[list[bytes]], list[list[bytes]] | None]
"""Maps the frames of a request to the messages to send back, each a list of frames.

None postpones the reply: the function is called again until it returns one.
"""


class Peer:
    """A ROUTER socket in a thread, until it is closed.

    Attributes:
        answer: function that computes the replies; at first, the echo of every request.
        heard: the frames of every request.
        address: the address of the socket.
    """

    def __init__(self) -> None:
        self.answer: Answer = lambda frames: [frames]
        self.heard: list[list[bytes]] = []
        self._socket = zmq.Context.instance().socket(zmq.ROUTER)
        self._socket.linger = 0
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        waiting: list[list[bytes]] = []
        while not self._ended.is_set():
            if self._socket.poll(5):
                request = self._socket.recv_multipart()
                self.heard.append(request[1:])
                waiting.append(request)
            waiting = [request for request in waiting if not self._answered(*request)]
        self._socket.close()

    def _answered(self, sender: bytes, *frames: bytes) -> bool:
        replies = self.answer(list(frames))
        for reply in replies or []:
            self._socket.send_multipart([sender, *reply])
        return replies is not None

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def ok(message_id: int, time_s: float = 1.0) -> list[bytes]:
    """Returns the frames of an ``ok``."""
    return [Ok(id=message_id, time=time_s).model_dump_json().encode()]


def ids(frames: list[bytes]) -> int:
    """Returns the id of a request."""
    return json.loads(frames[0])["id"]
