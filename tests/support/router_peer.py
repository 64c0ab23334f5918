"""What a client talks to where a test decides every reply: no server, but a socket of its kind."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import zmq

from skill_proto.messages import Ok

Answer = Callable[[list[bytes]], list[list[bytes]] | None]
"""From the frames of a request to the messages sent back, each a list of frames.

None leaves the request for later: it is asked about again until there is an answer.
"""


class Peer:
    """A ROUTER in a thread that answers as it is told, until it is closed.

    Attributes:
        answer: what to answer, also to requests left for later; at first, every request's echo.
        heard: the frames of every request.
        address: where it listens.
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
    """The message that says so."""
    return [Ok(id=message_id, time=time_s).model_dump_json().encode()]


def ids(frames: list[bytes]) -> int:
    """The id of a request."""
    return json.loads(frames[0])["id"]
