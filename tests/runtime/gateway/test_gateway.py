"""One gateway between clients and controller; the test is the controller."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.gateway.rig import Client, Rig

from skill_proto.messages import REPLY, Acquire, Clear, Error, Granted, Hello, Ok, Skill
from skill_proto.wire import MAX_FRAME_BYTES, MAX_HEADER_BYTES
from skill_runtime.channel.channel import QUEUE_SLOTS, Word
from skill_runtime.gateway.gateway import (
    BURST,
    COMMANDS_PER_CONNECTION,
    MAX_WAITING_REPLIES,
    MESSAGE_RATE_HZ,
    SILENT_CONTROLLER_S,
    Gateway,
)

MOTION = {"lease": "x", "seq": 1, "reference_time": 0.0, "valid_for_s": 1.0}


# Hello --------------------------------------------------------------------------------------------


def test_hello_is_answered_from_the_newest_state(rig: Rig, client: Client) -> None:
    rig.write_state("hold")
    rig.write_state("skill", holder="someone")
    reply = client.ask(type="hello", id=3)
    REPLY.validate_python(reply)
    assert (reply["type"], reply["id"], reply["instance"]) == ("welcome", 3, "this")
    assert (reply["mode"], reply["lease_holder"], reply["time"]) == ("skill", "someone", 50.0)
    rig.write_state("stopped")
    again = client.ask(type="hello")
    assert (again["mode"], again["lease_holder"]) == ("stopped", None)
    assert rig.commands() == []  # the controller has no part in it
    assert rig.wakes == 0


def test_the_welcome_has_limits_and_names_of_the_arm(rig: Rig, client: Client) -> None:
    rig.write_state()
    reply = client.ask(type="hello")
    assert reply["joint_names"] == [f"panda_joint{n}" for n in range(1, 8)]
    assert len(reply["joint_position_low"]) == len(reply["joint_position_high"]) == 7
    assert all(
        low < high
        for low, high in zip(reply["joint_position_low"], reply["joint_position_high"], strict=True)
    )
    assert reply["gripper_width_max"] == pytest.approx(0.08)
    assert reply["manifest"]["name"] == "push_by_hand"


def test_before_its_first_tick_a_server_is_described_as_it_starts(rig: Rig, client: Client) -> None:
    reply = client.ask(type="hello")
    assert (reply["type"], reply["mode"], reply["lease_holder"]) == ("welcome", "hold", None)


def test_a_controller_that_does_not_tick_is_not_described_as_alive(
    rig: Rig, client: Client
) -> None:
    rig.write_state(age_s=SILENT_CONTROLLER_S)
    assert client.ask(type="hello")["type"] == "welcome"
    rig.clock.time_s += 0.01
    reply = client.ask(type="hello")
    assert (reply["type"], reply["code"]) == ("error", "busy")
    assert "does not tick" in reply["message"]
    rig.write_state()
    assert client.ask(type="hello")["type"] == "welcome"


# Commands and replies -----------------------------------------------------------------------------


def test_a_command_passes_to_the_controller_and_its_reply_back(rig: Rig, client: Client) -> None:
    client.send(type="acquire", holder="someone", ttl_s=0.5, priority=2)
    rig.gateway.step()
    assert rig.wakes == 1
    ((request, message),) = rig.commands()
    assert message == Acquire(holder="someone", ttl_s=0.5, priority=2)
    assert not client.socket.poll(0)
    rig.reply(request, Granted(time=1.5, lease="token", ttl_s=0.5, seq=4))
    rig.gateway.step()
    reply = client.reply()
    REPLY.validate_python(reply)
    assert reply == {
        **{"v": 1, "id": 7, "instance": "this", "type": "granted"},
        **{"time": 1.5, "lease": "token", "ttl_s": 0.5, "seq": 4},
    }


def test_each_client_gets_the_reply_to_its_own_command(rig: Rig) -> None:
    clients = [rig.client() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(type="renew", lease=f"lease {number}", id=100 + number)
        rig.gateway.step()
    for request, message in reversed(rig.commands()):
        rig.reply(request, Error(time=0.0, code="no_lease", message=message.lease, fix="x"))
    rig.gateway.step()
    for number, client in enumerate(clients):
        reply = client.reply()
        assert (reply["id"], reply["message"]) == (100 + number, f"lease {number}")
        assert not client.socket.poll(0)


def test_each_command_wakes_the_controller(rig: Rig, client: Client) -> None:
    """At once, and not after the last one that waits: the controller works meanwhile."""
    for _ in range(5):
        client.send(type="clear")
    rig.gateway.step()
    assert rig.wakes == 5
    assert [message for _, message in rig.commands()] == [Clear()] * 5


def test_when_the_controller_takes_no_commands_clients_are_refused(
    rig: Rig, client: Client
) -> None:
    for _ in range(COMMANDS_PER_CONNECTION):
        client.send(type="clear")
    rig.gateway.step()
    reply = client.ask(type="clear", id=9)
    assert (reply["type"], reply["code"], reply["id"]) == ("error", "busy", 9)
    assert str(COMMANDS_PER_CONNECTION) in reply["message"]
    (first, _), *_ = rig.commands()
    client.send(type="clear")
    rig.gateway.step()
    assert len(rig.commands()) == 1
    rig.reply(first, Ok(time=2.0))
    rig.gateway.step()
    assert client.reply()["type"] == "ok"


def test_clients_that_send_many_commands_leave_places_to_the_others(
    rig: Rig, client: Client
) -> None:
    flood = [rig.client() for _ in range(QUEUE_SLOTS // 2)]
    for one in flood:
        for _ in range(COMMANDS_PER_CONNECTION):
            one.send(type="clear")
    until = QUEUE_SLOTS // 2 * COMMANDS_PER_CONNECTION
    for _ in range(until // int(BURST) + 1):
        rig.clock.time_s += BURST / MESSAGE_RATE_HZ
        rig.gateway.step()
    waiting = len(rig.channel.commands)
    assert QUEUE_SLOTS // 2 <= waiting < QUEUE_SLOTS
    client.send(type="renew", lease="mine")
    rig.clock.time_s += 1.0
    rig.gateway.step()
    assert not client.socket.poll(0)  # not refused
    assert [message.type for _, message in rig.commands()].count("renew") == 1


def test_lost_replies_do_not_count_as_waiting_commands(rig: Rig, client: Client) -> None:
    for _ in range(5):
        for _ in range(COMMANDS_PER_CONNECTION):
            client.send(type="clear")
        rig.gateway.step()
        assert len(rig.commands()) == COMMANDS_PER_CONNECTION  # and the controller never replies


def test_with_a_full_queue_every_client_is_refused(rig: Rig, client: Client) -> None:
    for _ in range(QUEUE_SLOTS):
        rig.client().send(type="clear")
    rig.gateway.step()
    reply = client.ask(type="clear")
    assert (reply["type"], reply["code"]) == ("error", "busy")
    assert str(QUEUE_SLOTS) in reply["message"]


def test_replies_to_no_request_are_dropped(rig: Rig, client: Client) -> None:
    client.send(type="clear")
    rig.gateway.step()
    ((request, _),) = rig.commands()
    for number in (0, request + 1, 2**63, request, request):
        rig.reply(number, Ok(time=float(number)))
    rig.gateway.step()
    assert client.reply()["time"] == float(request)
    assert not client.socket.poll(0)


def test_a_damaged_reply_is_dropped_and_the_next_one_is_sent(
    rig: Rig, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.send(type="clear")
    rig.gateway.step()
    ((request, _),) = rig.commands()
    for garbage in (b"", b"\xff" * 8, b"\xff" * 40, b"{}"):
        assert rig.channel.replies.put(garbage)
    rig.reply(request, Ok(time=2.0))
    rig.gateway.step()
    assert client.reply()["type"] == "ok"
    assert caplog.text.count("a reply of the controller is dropped") == 4


def test_requests_without_a_reply_are_forgotten_at_some_time(rig: Rig, client: Client) -> None:
    requests: list[int] = []
    for number in range(MAX_WAITING_REPLIES + 1):
        client.send(type="clear", id=number)
        rig.clock.time_s += 1.0
        rig.gateway.step()
        requests += [request for request, _ in rig.commands()]
    for request in (requests[0], requests[1], requests[-1]):
        rig.reply(request, Ok(time=0.0))
    rig.gateway.step()
    assert [client.reply()["id"] for _ in range(2)] == [1, MAX_WAITING_REPLIES]
    assert not client.socket.poll(0)


def test_a_client_that_is_gone_is_no_reason_to_fail(rig: Rig, client: Client) -> None:
    other = rig.client()
    other.send(type="clear")
    rig.gateway.step()
    ((request, _),) = rig.commands()
    other.socket.close()
    rig.reply(request, Ok(time=0.0))
    rig.gateway.step()
    assert client.ask(type="hello")["type"] == "welcome"


# Refusals -----------------------------------------------------------------------------------------


def test_a_message_for_another_server_is_refused_and_not_passed_on(
    rig: Rig, client: Client
) -> None:
    for message in (
        {"type": "hello"},
        {"type": "clear"},
        {"type": "skill", "skill": [1, 0], **MOTION},
        {"type": "act", "session": "s"},
    ):
        reply = client.ask(**message, instance="other")
        assert (reply["code"], reply["id"], reply["instance"]) == ("wrong_server", 7, "this")
        assert "'other'" in reply["message"]
        assert "hello" in reply["fix"]
    assert rig.commands() == []
    client.send(type="clear", instance="this")
    rig.gateway.step()
    assert len(rig.commands()) == 1


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"type": "skill", "skill": [1, 0, 0], **MOTION}, "invalid", "3 entries"),
        ({"type": "goal", "goal": [9, 9], **MOTION}, "invalid", "0.15"),
        ({"type": "servo_joint", "joint_position": [9] * 7, **MOTION}, "invalid", "panda_joint1"),
        ({"type": "act", "session": "s"}, "not_supported", "no policy service"),
        ({"type": "stop"}, "unknown_type", "stop"),
        ({"type": "hello", "v": 2}, "wrong_version", "2"),
    ],
)
def test_a_refusal_has_code_reason_and_id_and_is_counted(
    rig: Rig, client: Client, fields: dict[str, object], code: str, words: str
) -> None:
    reply = client.ask(**fields)
    REPLY.validate_python(reply)
    assert (reply["type"], reply["code"], reply["id"]) == ("error", code, 7)
    assert words in reply["message"]
    assert reply["fix"]
    assert rig.commands() == []
    assert rig.channel.refusals() == {f"rejected.{code}": 1}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b""], "malformed"),
        ([b"\xff\xfe"], "malformed"),
        ([b"[" * 30_000], "malformed"),
        ([b'"hello"'], "invalid"),
        ([b" " * (MAX_HEADER_BYTES + 1)], "too_large"),
        ([b" " * (MAX_FRAME_BYTES + 1)], "too_large"),
        ([b'{"type":"hello"}'] * 10, "too_large"),
        ([b'{"type":"hello"}'] * 100, "too_large"),
        ([b"", b'{"type":"hello"}'], "malformed"),  # as a REQ socket sends it
    ],
)
def test_bytes_that_are_no_message_are_refused(
    rig: Rig, client: Client, frames: list[bytes], code: str
) -> None:
    assert client.ask_frames(*frames)["code"] == code
    assert client.ask(type="hello")["type"] == "welcome"


# Hypothesis also tries the messages in the source code, which are no errors.
no_object = st.binary(max_size=200).filter(lambda frame: not frame.lstrip().startswith(b"{"))


@given(frames=st.lists(no_object, min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_frames_get_exactly_one_error(rig: Rig, frames: list[bytes]) -> None:
    rig.clock.time_s += 1.0
    rig.channel.commands.discard()  # of an earlier example
    client = rig.client()
    reply = client.ask_frames(*frames)
    assert reply["type"] == "error"
    assert not client.socket.poll(0)
    assert rig.commands() == []
    client.socket.close()


def test_an_error_of_the_gateway_itself_is_answered(
    rig: Rig,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(self: Gateway, message: Hello) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Gateway, "_welcome", broken)
    reply = client.ask(type="hello", id=5)
    assert (reply["code"], reply["id"]) == ("internal", 5)
    assert "a bug" in reply["message"]
    assert "the arm is not affected" in reply["message"]
    assert "ZeroDivisionError" in caplog.text


# Floods -------------------------------------------------------------------------------------------


def test_a_flood_is_read_at_a_bounded_rate(rig: Rig) -> None:
    """A burst, then the rate: in a tenth of a second 400 messages."""
    clients = [rig.client() for _ in range(20)]
    for client in clients:
        for _ in range(50):
            client.send(type="hello")
    while rig.gateway.step():
        pass
    answered = sum(client.socket.poll(0) > 0 for client in clients)
    assert answered == len(clients)
    before = read = drain(clients)
    assert BURST <= read <= BURST + 256
    for _ in range(10):
        rig.clock.time_s += 0.01
        while rig.gateway.step():
            pass
        read += drain(clients)
    assert read - before == pytest.approx(0.1 * MESSAGE_RATE_HZ, abs=130)


def drain(clients: list[Client]) -> int:
    count = 0
    for client in clients:
        while client.socket.poll(0):
            client.socket.recv()
            count += 1
    return count


def test_a_pause_saves_a_bounded_number_of_messages(rig: Rig, client: Client) -> None:
    rig.clock.time_s += 1e6
    rig.gateway.step()
    assert rig.gateway._credit == BURST


def test_without_credit_replies_and_telemetry_go_on(rig: Rig, client: Client) -> None:
    subscriber = rig.subscriber()
    client.send(type="clear")
    rig.gateway.step()
    ((request, _),) = rig.commands()
    rig.gateway._credit = 0.0
    rig.reply(request, Ok(time=0.0))
    rig.write_state(seq=1)
    client.send(type="hello")
    assert not rig.gateway.step()
    assert client.reply()["type"] == "ok"
    assert not client.socket.poll(0)
    assert subscriber.poll(0)


# Restart of the gateway ---------------------------------------------------------------------------


def test_after_a_restart_counts_go_on_and_old_replies_are_dropped(rig: Rig, client: Client) -> None:
    client.send(type="clear", id=1)
    client.send(type="nonsense")
    rig.gateway.step()
    ((old, _),) = rig.commands()
    rig.reply(old, Ok(time=1.0))  # nobody reads it before the end of the process
    rig.start()
    client = rig.client()
    client.send(type="clear", id=2)
    client.send(type="nonsense")
    rig.gateway.step()
    ((new, _),) = rig.commands()
    assert new != old
    assert client.reply()["code"] == "unknown_type"
    rig.reply(old, Ok(time=1.0))  # the controller was slow
    rig.reply(new, Ok(time=2.0))
    rig.gateway.step()
    reply = client.reply()
    assert (reply["id"], reply["time"]) == (2, 2.0)
    assert not client.socket.poll(0)
    assert rig.channel.refusals() == {"rejected.unknown_type": 2}


def test_commands_of_before_the_restart_are_still_executed(rig: Rig, client: Client) -> None:
    client.send(type="skill", skill=[0.6, 0.8], **MOTION)
    rig.gateway.step()
    rig.start()
    ((_, message),) = rig.commands()
    assert message == Skill(skill=(0.6, 0.8), **MOTION)


# Telemetry ----------------------------------------------------------------------------------------


def test_each_publication_of_the_controller_is_sent_once(rig: Rig) -> None:
    subscriber = rig.subscriber()
    rig.write_state("skill", seq=5, tick=10)
    telemetry = rig.published(subscriber)
    assert (telemetry.seq, telemetry.tick, telemetry.mode) == (5, 10, "skill")
    assert telemetry.instance == "this"
    rig.write_state("hold", seq=5, tick=11)  # for a reply to 'hello'
    rig.gateway.step()
    assert not subscriber.poll(0)
    rig.write_state("hold", seq=6, tick=12)
    assert rig.published(subscriber).seq == 6


def test_a_state_that_is_being_written_is_sent_later(rig: Rig) -> None:
    subscriber = rig.subscriber()
    rig.write_state(seq=1)
    words = rig.channel.state._words
    words[0] += 1  # a write has begun
    rig.gateway.step()
    assert not subscriber.poll(0)
    words[0] -= 1
    assert rig.published(subscriber).seq == 1


def test_refusals_of_both_processes_add_up(rig: Rig, client: Client) -> None:
    subscriber = rig.subscriber()
    client.ask(type="nonsense")
    client.ask(type="nonsense")
    client.ask(type="hello", v=3)
    rig.write_state(seq=1, counters={"rejected.stale": 4, "rejected.unknown_type": 1, "stops": 2})
    assert rig.published(subscriber).counters == {
        "rejected.stale": 4,
        "rejected.unknown_type": 3,
        "rejected.wrong_version": 1,
        "rejected": 8,
        "stops": 2,
    }


def test_the_newest_event_of_both_processes_is_shown(rig: Rig, client: Client) -> None:
    subscriber = rig.subscriber()
    rig.write_state(seq=1, events=3, last_event="stop: smoke")
    assert rig.published(subscriber).last_event == "stop: smoke"
    client.ask(type="nonsense")
    rig.write_state(seq=2, events=3, last_event="stop: smoke")
    assert rig.published(subscriber).last_event.startswith("refused: ")
    rig.write_state(seq=3, events=4, last_event="cleared")
    assert rig.published(subscriber).last_event == "cleared"
    rig.write_state(seq=4, events=4, last_event="cleared")
    assert rig.published(subscriber).last_event == "cleared"


def test_restarts_are_counted_without_the_first_start(rig: Rig) -> None:
    subscriber, words = rig.subscriber(), rig.channel.words
    words[Word.LISTENER_STARTS] = 1
    rig.write_state(seq=1)
    assert rig.published(subscriber).counters == {}
    words[Word.GATEWAY_STARTS], words[Word.LISTENER_STARTS] = 3, 2
    words[Word.SERVICE_STARTS] = 5
    rig.write_state(seq=2)
    assert rig.published(subscriber).counters == {
        "restarts.gateway": 2,
        "restarts.stop_listener": 1,
        "restarts.policy_service": 4,
    }


def test_every_step_beats(rig: Rig) -> None:
    for time_s in (51.0, 51.25):
        rig.clock.time_s = time_s
        rig.gateway.step()
        assert rig.channel.words[Word.GATEWAY_BEAT] == time_s * 1e9


def test_replies_that_cannot_be_sent_are_dropped(rig: Rig, client: Client) -> None:
    client.send(type="hello")
    rig.gateway.step()
    client.socket.rcvhwm = 1
    for _ in range(3000):
        rig.clock.time_s += 1.0
        client.send(type="hello")
        rig.gateway.step()
    other = rig.client()
    assert other.ask(type="hello")["type"] == "welcome"
