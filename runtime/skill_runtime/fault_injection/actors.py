"""The actors around the server: clients, a pose source, an operator and a forger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmSpec
from skill_runtime.fault_injection.virtual.network import Network

Reply = dict[str, Any]


class Actor(Protocol):
    """Acts at times of its own choice, and receives the replies to its messages."""

    name: bytes

    def act(self, now: float, server_time: float) -> float:
        """Acts once, and returns the time of its next action [s].

        Args:
            now: the present time [s].
            server_time: the newest server time that the actor has seen [s].
        """
        ...

    def receive(self, reply: Reply) -> None:
        """Handles a reply."""
        ...


def frame(**fields: Any) -> bytes:  # noqa: ANN401  any JSON value
    """Encodes a message for the wire."""
    return json.dumps(fields).encode()


@dataclass
class CommandingClient:
    """A client that acquires the lease, commands, dies, comes back, or keeps using an old token."""

    name: bytes
    network: Network
    random: np.random.Generator
    manifest: PolicyManifest
    spec: ArmSpec
    token: str = ""
    seq: int = 0
    ttl_s: float = 1.0
    period_s: float = 0.05
    renewed: float = 0.0
    clock_error_s: float = 0.0
    _ids: int = 0

    def act(self, now: float, server_time: float) -> float:
        """Renews the lease and sends one command."""
        chance = self.random.random()
        if chance < 0.003:  # dies, or hangs
            if chance < 0.0015:
                self.token = ""
            return now + float(self.random.exponential(1.5))
        if chance < 0.005:  # its clock jumps
            self.clock_error_s = float(self.random.choice([0.0, 0.0, 0.03, -0.5, 1.0, 3600.0]))
        if not self.token:
            self._acquire(now)
            return now + float(self.random.uniform(0.05, 0.6))
        if now - self.renewed > self.ttl_s / 4:
            self.renewed = now
            self._send(now, type="renew", lease=self.token)
        self._command(now, server_time + self.clock_error_s)
        return now + self.period_s

    def receive(self, reply: Reply) -> None:
        """Stores a granted lease, and drops one that has ended."""
        if reply["type"] == "granted":
            self.token, self.seq = reply["lease"], int(reply["seq"])
        elif reply.get("code") == "no_lease" and self.random.random() < 0.7:
            self.token = ""  # the others keep using it, as a frozen process would

    def _acquire(self, now: float) -> None:
        self.ttl_s = float(self.random.uniform(0.1, 2.0))
        self.period_s = float(self.random.choice([0.005, 0.01, 0.04, 0.1, 0.3]))
        priority = int(self.random.choice([0, 0, 0, 1, 3, 9]))
        self.renewed = now
        holder = self.name.decode()
        self._send(now, type="acquire", holder=holder, ttl_s=self.ttl_s, priority=priority)
        if self.random.random() < 0.05:
            self._send(now, type="clear")

    def _command(self, now: float, reference_time: float) -> None:
        self.seq += int(self.random.integers(1, 3))
        fields = self._draw_command()
        if fields["type"] not in ("hold", "reset", "scene"):
            fields |= {"valid_for_s": float(self.random.uniform(0.01, 0.6))}
        self._send(now, lease=self.token, seq=self.seq, reference_time=reference_time, **fields)
        if self.random.random() < 0.01:
            self._send(now, type="release", lease=self.token)
            self.token = ""

    def _draw_command(self) -> dict[str, Any]:
        random, size = self.random, self.manifest.skill.size
        kind = str(
            random.choice(["policy"] * 6 + ["servo_joint", "servo_pose"] * 2 + ["hold", "rare"])
        )
        if kind == "policy" and size and random.random() < 0.6:
            skill = random.standard_normal(size)
            return {"type": "skill", "skill": (skill / np.linalg.norm(skill)).tolist()}
        if kind == "policy" and self.manifest.goal is not None:
            low, high = self.manifest.goal.low, self.manifest.goal.high
            return {"type": "goal", "goal": random.uniform(low, high).tolist()}
        if kind == "servo_joint":
            return {"type": "servo_joint", "joint_position": self._draw_joints()}
        if kind == "servo_pose":
            low, high = (
                self.manifest.arm_plant.workspace_low_m,
                self.manifest.arm_plant.workspace_high_m,
            )
            return {
                "type": "servo_pose",
                "end_effector_position": random.uniform(low, high).tolist(),
            }
        if kind == "hold" or random.random() < 0.5:
            return {"type": "hold"}
        if random.random() < 0.3:
            return {"type": "reset"}
        return {"type": "scene", "mass": float(random.uniform(0.1, 5.0))}

    def _draw_joints(self) -> list[float]:
        """Draws joint positions near the neutral pose, or in the whole range of the joints."""
        if self.random.random() < 0.5:
            near = self.spec.neutral + self.random.uniform(-0.4, 0.4, self.spec.dof)
            return np.clip(near, self.spec.position_low, self.spec.position_high).tolist()
        return self.random.uniform(self.spec.position_low, self.spec.position_high).tolist()

    def _send(self, now: float, **fields: Any) -> None:  # noqa: ANN401  as frame()
        self._ids += 1
        self.network.send("commands", self.name, frame(v=1, id=self._ids, **fields), now)


@dataclass
class Operator:
    """A person who stops the arm at times, and clears stops and faults after a while."""

    name: bytes
    network: Network
    random: np.random.Generator

    def act(self, now: float, server_time: float) -> float:
        """Sends ``clear``, at times after a ``stop``."""
        del server_time
        if self.random.random() < 0.2:
            self.network.send_reliably("stop", self.name, frame(type="stop", id=1), now=now)
        self.network.send("commands", self.name, frame(type="clear", id=2), now)
        return now + float(self.random.exponential(2.0))

    def receive(self, reply: Reply) -> None:
        """Ignores the reply."""


@dataclass
class PoseSource:
    """A tracker of the cube at 100 Hz, silent at times."""

    name: bytes
    network: Network
    random: np.random.Generator
    silent_until: float = 0.0

    def act(self, now: float, server_time: float) -> float:
        """Sends one pose."""
        if self.random.random() < 0.001:
            self.silent_until = now + float(self.random.exponential(0.6))
        if now >= self.silent_until:
            pose = frame(
                type="track", object="cube", captured=server_time, position=[0.0, 0.0, 0.02]
            )
            self.network.send("commands", self.name, pose, now)
        return now + 0.01

    def receive(self, reply: Reply) -> None:
        """Ignores the reply."""


@dataclass
class Forger:
    """Sends malformed and forged messages."""

    name: bytes
    network: Network
    random: np.random.Generator
    spec: ArmSpec

    def act(self, now: float, server_time: float) -> float:
        """Sends one of them."""
        move = {"seq": 2**50, "reference_time": server_time, "valid_for_s": 60.0}
        forged: list[tuple[bytes, ...]] = [
            (frame(type="skill", lease="0" * 32, skill=[1.0, 0.0], **move),),
            (frame(type="servo_joint", lease="x", joint_position=[1e308] * 7, **move),),
            (b'{"type": "servo_joint", "lease": "x", "joint_position": [NaN]}',),
            (b"\x80\x04\x95 pickled", b"frames"),
            (b"[" * 2000,),
            (frame(type="release", lease="0" * 32),),
            (frame(type="clear", v=2),),
            tuple(b"part" for _ in range(int(self.random.integers(10, 60)))),
            (frame(type="acquire", holder="x" * 300, ttl_s=1e9),),
            (frame(type="act", session="s"), b"\x00" * 64),
            (b"",),
        ]
        chosen = forged[int(self.random.integers(len(forged)))]
        port = "stop" if self.random.random() < 0.05 and len(chosen) == 1 else "commands"
        self.network.send_reliably(port, self.name, *chosen, now=now)
        return now + float(self.random.exponential(0.2))

    def receive(self, reply: Reply) -> None:
        """Ignores the reply."""
