"""The doctor's client and peers that do not keep the protocol."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skill_robots.control_box.wire.protocol import FER_PROTOCOL, FR3_PROTOCOL, Request
from skill_runtime.doctor.control_box.client import ControlBoxError, RobotClient, request_id
from skill_runtime.doctor.control_box.robot_test import Bench, RobotTest, run_tests

HEADER = struct.Struct("<III")
HOST = f"127.44.{os.getpid() % 250 + 1}.1"

Serve = Callable[[bytes], RobotClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a program that sends fixed bytes to its client, and no more."""
    with socket.create_server((HOST, 1337), backlog=8) as server:
        clients: list[RobotClient] = []
        threads: list[threading.Thread] = []

        def start(sent: bytes) -> RobotClient:
            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(sent)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass  # an early end could discard the bytes that the client has not read

            threads.append(threading.Thread(target=answer))
            threads[-1].start()
            clients.append(RobotClient(HOST, timeout_s=0.3))
            return clients[-1]

        yield start
        for client in clients:
            client.close()
        for thread in threads:
            thread.join()


def reply(number: int, body: bytes, *, size: int | None = None) -> bytes:
    return HEADER.pack(0, number, HEADER.size + len(body) if size is None else size) + body


def test_replies_are_told_apart_by_their_number(serve: Serve) -> None:
    client = serve(reply(1, b"\x02late") + reply(0, b"\x01") + reply(1, b"\x03"))
    first, second = client.send(1, b""), client.send(2, b"")
    assert client.reply(first, 0.0)[:2] == (1, b"")
    assert client.reply(second, 0.0)[:2] == (2, b"late")
    assert client.replied(second) == b"\x03"


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "closed the connection"),
        (HEADER.pack(0, 0, 11), "claims a size of 11 bytes"),
        (HEADER.pack(0, 0, 2**31), "claims a size of 2147483648 bytes"),
        (reply(0, b"12345", size=100), "closed the connection"),
        (reply(7, b"\x00\x0a\x00"), "closed the connection"),
        (reply(0, b"\x00"), "has 1 bytes, expected 3"),
    ],
)
def test_a_malformed_reply_is_an_error(serve: Serve, sent: bytes, says: str) -> None:
    with pytest.raises(ControlBoxError, match=says):
        serve(sent).connect(10)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_an_error(serve: Serve, sent: bytes) -> None:
    with suppress(ControlBoxError):
        assert serve(sent).connect(10).seconds < 1.0


def test_silence_is_an_error_that_names_the_time(serve: Serve) -> None:
    client = serve(b"")
    with pytest.raises(ControlBoxError, match=r"no state arrived within 0\.1 s\. A firewall"):
        client.receive(0.1)


def test_nobody_is_an_error_that_names_the_fix() -> None:
    with pytest.raises(ControlBoxError, match="activate FCI in Desk"):
        RobotClient(HOST)


def test_requests_have_the_ids_of_their_version() -> None:
    assert request_id(FER_PROTOCOL, Request.AUTOMATIC_ERROR_RECOVERY) == 12
    assert request_id(FR3_PROTOCOL, Request.AUTOMATIC_ERROR_RECOVERY) == 10
    with pytest.raises(ControlBoxError, match="has no request GET_ROBOT_MODEL"):
        request_id(FER_PROTOCOL, Request.GET_ROBOT_MODEL)


def test_a_question_without_an_answer_does_not_end_the_others(serve: Serve) -> None:
    def refuse(bench: Bench) -> dict[str, object]:
        raise ControlBoxError("no")

    bench = Bench(host=HOST, client=serve(b""), protocol=FR3_PROTOCOL, seconds=1.0)
    tests = [
        RobotTest(name="first", question="?", ask=refuse),
        RobotTest(name="second", question="?", ask=lambda bench: {"host": bench.host}),
    ]
    seen: list[str] = []
    first, second = run_tests(bench, tests, lambda entry: seen.append(entry.name))
    assert (first.answer, first.error) == (None, "no")
    assert (second.answer, second.error) == ({"host": HOST}, None)
    assert seen == ["first", "second"]
