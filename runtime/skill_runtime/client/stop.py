"""The stop request: sent to the server's stop socket, and confirmed by the server that is meant.

A client that has not said hello does not know the address of that socket. To save the round trip,
the stop first goes to the address at the default port offset. Behind a tunnel an address may belong
to another arm: every stop names the server that is meant, and a server refuses the stop of another.
"""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import Error, Hello, Ok, Stop, Welcome
from skill_proto.ports import MAX_PORT, STOP_PORT_OFFSET
from skill_proto.printable import printable
from skill_runtime.client.connection import expect, is_other
from skill_runtime.client.errors import (
    ClientError,
    ServerUnreachableError,
    WrongServerError,
    from_reply,
)
from skill_runtime.client.steps import Ask, Call, Deadline, ask

FIRST_TIMEOUT_S = 0.5
"""Longest wait for a reply from the address that is tried first [s]."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The server to stop, as far as the client knows it."""

    commands: str
    """Address for commands."""
    given: str | None = None
    """Stop address that the program gave."""
    known: str | None = None
    """Stop address of the newest welcome."""
    instance: str = ""
    """Instance of the server; empty if it is unknown."""


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A confirmed stop."""

    time: float
    """Server time of the stop [s]."""
    welcome: Welcome | None = None
    """Description of the server, if the stop asked for it."""


@dataclass(frozen=True)
class _Attempt:
    """The answer of one stop socket: a confirmation, another server, or a failure."""

    address: str
    confirmed: Ok | None = None
    other: str = ""
    """Instance of another server that refused."""
    failure: ClientError | None = None


def stop_call(stop: Stop, target: Target, timeout_s: float) -> Call[Stopped]:
    """Stops the arm.

    Args:
        stop: The request.
        target: The server to stop.
        timeout_s: Longest duration in all [s].

    Raises:
        WrongServerError: the stop address belongs to another server; the arm is not stopped.
        ClientError: no server confirmed the stop.
    """
    deadline = Deadline(timeout_s)
    attempts: list[_Attempt] = []
    first = target.given or target.known or default_stop_address(target.commands)
    stopped: _Attempt | None = None
    if first is not None:
        wait_s = min(FIRST_TIMEOUT_S, timeout_s / 4)
        stopped = yield from _try(stop, first, target.instance, wait_s)
        attempts.append(stopped)
        if stopped.confirmed and (target.instance or first == target.known):
            return Stopped(time=stopped.confirmed.time)
    try:
        welcome = yield from _hello(target.commands, deadline.left_s / 2)
    except ClientError as error:
        if stopped is None:
            raise
        return (yield from _without_hello(stop, target, stopped, deadline, error))
    if stopped and stopped.confirmed and _is_that_server(stopped, welcome):
        return Stopped(time=stopped.confirmed.time, welcome=welcome)
    addresses = [*dict.fromkeys(filter(None, (target.given, welcome.stop_address)))]
    for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        attempt = yield from _try(stop, address, welcome.instance, deadline.left_s / untried)
        if attempt.confirmed:
            return Stopped(time=attempt.confirmed.time, welcome=welcome)
        attempts.append(attempt)
    raise _not_stopped(attempts, target)


def default_stop_address(address: str) -> str | None:
    """Returns the stop address at the default port offset; None without a port number."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal()) or len(port) > len(str(MAX_PORT)):
        return None
    return f"{host}:{int(port) + STOP_PORT_OFFSET}"


def _hello(address: str, timeout_s: float) -> Call[Welcome]:
    reply, _ = yield from ask(Ask(message=Hello(), address=address, timeout_s=timeout_s))
    if isinstance(reply, Error):
        raise from_reply(reply, address)
    return expect(reply, Welcome)


def _try(stop: Stop, address: str, instance: str, timeout_s: float) -> Call[_Attempt]:
    """Sends the stop to one address; no failure is raised."""
    message = stop.model_copy(update={"instance": instance or None})
    try:
        reply, _ = yield from ask(Ask(message=message, address=address, timeout_s=timeout_s))
        if isinstance(reply, Error) and reply.code == "wrong_server":
            return _Attempt(address, other=reply.instance or "unknown")
        if isinstance(reply, Error):
            return _Attempt(address, failure=from_reply(reply, address))
        if is_other(reply.instance, instance):
            return _Attempt(address, other=reply.instance)
        return _Attempt(address, confirmed=expect(reply, Ok))
    except ClientError as error:
        return _Attempt(address, failure=error)


def _is_that_server(stopped: _Attempt, welcome: Welcome) -> bool:
    """Returns whether the server that was stopped is the one that sent the welcome."""
    instance = stopped.confirmed.instance if stopped.confirmed else ""
    if instance and welcome.instance:
        return instance == welcome.instance
    return stopped.address == welcome.stop_address


def _without_hello(
    stop: Stop, target: Target, first: _Attempt, deadline: Deadline, error: ClientError
) -> Call[Stopped]:
    """Stops as well as possible while the commands socket does not answer."""
    if first.confirmed:
        return Stopped(time=first.confirmed.time)
    # If the server is another one, it is stopped as well: a stop too many is the safe failure.
    instance = "" if first.other else target.instance
    again = yield from _try(stop, first.address, instance, deadline.left_s)
    if first.other:
        result = "was stopped" if again.confirmed else "did not confirm a stop either"
        raise WrongServerError(
            f"the stop is not confirmed for the server at {printable(target.commands)}: it does "
            f"not answer, and {printable(first.address)} belongs to another server, which "
            f"{result}. Fix: stop the arm by its own means"
        )
    if again.confirmed:
        return Stopped(time=again.confirmed.time)
    raise error


def _not_stopped(attempts: list[_Attempt], target: Target) -> ClientError:
    wrong = next((made.address for made in attempts if made.other), None)
    if wrong is None:
        failures = [made.failure for made in attempts if made.failure]
        return failures[-1] if failures else ServerUnreachableError(target.commands, 0.0)
    also = [made.address for made in attempts if made.confirmed]
    stopped = f" (the server at {printable(also[0])} was stopped)" if also else ""
    return WrongServerError(
        f"the arm is not stopped: {printable(wrong)} belongs to another server than "
        f"{printable(target.commands)}{stopped}. Fix: forward the stop port of that server too, "
        "and pass stop_address=..."
    )
