"""Messages for recorders: policy steps, and commands with their result."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from tests.runtime.gateway.rig import Client, Rig, Socket

from skill_proto.messages import RECORD, Commanded, Error, Granted, Ok, PolicyStep
from skill_proto.topics import COMMANDED_TOPIC, POLICY_STEP_TOPIC, TOPICS
from skill_runtime.channel.step_record import StepRecord, pack_step
from skill_runtime.gateway.record_feed import exact

TOKEN = "9f1c03a27be64d55"
SKILL: dict[str, Any] = {
    **{"type": "skill", "lease": TOKEN, "seq": 4, "reference_time": 50.0},
    **{"valid_for_s": 0.5, "skill": [1.0, 0.0]},
}


def recorder(rig: Rig) -> Socket:
    """Returns a subscriber whose subscriptions to both topics are in force."""
    socket = rig.subscriber()
    for topic in TOPICS:
        socket.subscribe(topic)
    while not all(rig.sockets.topics.is_subscribed(topic) for topic in TOPICS):
        rig.sockets.topics.accept()
    return socket


def messages(socket: Socket, topic: bytes) -> list[PolicyStep | Commanded]:
    found: list[PolicyStep | Commanded] = []
    while socket.poll(0):
        frames = socket.recv_multipart()
        if frames[0] == topic:
            found.append(RECORD.validate_json(frames[1], strict=True))
    return found


def commanded(rig: Rig, socket: Socket) -> list[dict[str, Any]]:
    rig.gateway.step()
    return [json.loads(item.model_dump_json()) for item in messages(socket, COMMANDED_TOPIC)]


def step(number: int, *, by_goal: bool = False) -> StepRecord:
    return StepRecord(
        *(number, 10 * number, number - 1, 50.5, by_goal),
        *(np.array([0.1, 1 / 3]), np.array([1.0, 0.0]), None, np.array([0.7], np.float32)),
    )


def test_policy_steps_are_published_in_order(rig: Rig) -> None:
    socket = recorder(rig)
    for number in (1, 2):
        assert rig.channel.steps.put(pack_step(step(number, by_goal=number == 2)))
    rig.gateway.step()
    first, second = messages(socket, POLICY_STEP_TOPIC)
    assert isinstance(first, PolicyStep)
    assert isinstance(second, PolicyStep)
    assert (first.step, first.tick, first.state_age, first.time) == (1, 10, 0, 50.5)
    assert (first.skill, first.goal, second.skill, second.goal) == ((1, 0), None, None, (1, 0))
    assert first.observation == (0.1, 0.33333334)
    assert np.float32(first.observation[1]) == np.float32(1 / 3)
    assert first.previous_action is None


def test_decimals_are_exact() -> None:
    values = np.random.default_rng(1).normal(size=2000).astype(np.float32)
    assert (np.array(exact(values), np.float32) == values).all()


def test_a_damaged_step_is_dropped(rig: Rig) -> None:
    socket = recorder(rig)
    rig.channel.steps.put(b"short")
    rig.channel.steps.put(pack_step(step(5)))
    rig.gateway.step()
    assert [item.step for item in messages(socket, POLICY_STEP_TOPIC)] == [5]  # type: ignore[union-attr]


def test_steps_are_read_without_a_recorder(rig: Rig) -> None:
    for number in range(40):
        rig.channel.steps.put(pack_step(step(number)))
    rig.gateway.step()
    assert len(rig.channel.steps) == 0


def test_a_command_is_published_with_its_reply_and_without_its_token(
    rig: Rig, client: Client
) -> None:
    rig.write_state("hold", holder="demo", lease=TOKEN)
    socket = recorder(rig)
    client.ask(type="hello", client="arm watcher")
    client.send(**SKILL)
    assert commanded(rig, socket) == []
    ((request, _),) = rig.commands()
    rig.reply(request, Ok(time=50.1))
    (found,) = commanded(rig, socket)
    assert (found["client"], found["result"], found["time"]) == ("arm watcher", "ok", 50.1)
    assert found["command"] == {
        **{"v": 1, "id": 7, "type": "skill", "seq": 4, "reference_time": 50.0},
        **{"valid_for_s": 0.5, "skill": [1.0, 0.0], "grasp": False},
    }
    assert len(found["lease"]) == 8
    assert TOKEN not in json.dumps(found)


def test_refusals_are_published(rig: Rig, client: Client) -> None:
    rig.write_state("hold", holder="demo", lease=TOKEN)
    socket = recorder(rig)
    client.ask(**SKILL | {"skill": [1.0, 0.0, 0.0]})
    client.ask(type="dance")
    first, second = commanded(rig, socket)
    assert (first["result"], second["result"]) == ("invalid", "unknown_type")
    assert first["lease"] is not None
    assert second["command"] == {"type": "unknown"}
    client.send(**SKILL)
    rig.gateway.step()
    ((request, _),) = rig.commands()
    rig.reply(request, Error(time=50.2, code="stale", message="too old", fix="again"))
    (third,) = commanded(rig, socket)
    assert (third["result"], third["message"], third["seq"]) == ("stale", "too old", 3)


def test_a_new_lease_has_the_digest_of_its_commands(rig: Rig, client: Client) -> None:
    rig.write_state("hold", holder="demo", lease=TOKEN)
    socket = recorder(rig)
    client.send(type="acquire", holder="demo", ttl_s=1.0)
    rig.gateway.step()
    ((request, _),) = rig.commands()
    rig.reply(request, Granted(time=50.0, lease=TOKEN, ttl_s=1.0))
    (granted,) = commanded(rig, socket)
    client.send(**SKILL)
    rig.gateway.step()
    ((request, _),) = rig.commands()
    rig.reply(request, Ok(time=50.1))
    (skill,) = commanded(rig, socket)
    assert granted["lease"] == skill["lease"]
    assert skill["client"] == "demo"


def test_commands_wait_for_no_recorder(rig: Rig, client: Client) -> None:
    """Without a subscriber, a command is not remembered for its reply."""
    rig.write_state("hold", holder="demo", lease=TOKEN)
    client.send(**SKILL)
    rig.gateway.step()
    ((request, _),) = rig.commands()
    socket = recorder(rig)
    rig.reply(request, Ok(time=50.1))
    assert commanded(rig, socket) == []
