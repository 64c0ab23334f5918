"""``lost``: one of two services is killed under load, and started again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.load.fleet import command_of
from benchmarks.serving.load.services import Service, serving
from skill_runtime.client import ClientError
from skill_runtime.client.sharding import AsyncShardedClient
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.policy import OnnxPolicy


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Kill one of two services under load, and start it again."""

    model: Path = Path("models/csf_panda.onnx")
    """The policy file."""
    robots: PositiveInt = 40
    """Robots, divided between both services."""
    rate: PositiveFloat = 25.0
    """Control rate of every robot [Hz]."""
    timeout: PositiveFloat = 1.0
    """Longest duration of a call [s]."""
    seconds: PositiveFloat = 4.0
    """Time before the loss, between loss and start, and after the start [s]."""
    nice: int = 0
    """Niceness of the services; below 0 it needs root."""
    json: Path | None = None
    """File for the result."""

    def check(self) -> None:
        """Checks the values.

        Raises:
            UsageError: A value is out of range.
        """
        if not self.model.is_file():
            raise UsageError(f"{self.model} is no file; name a policy file: --model FILE")
        check_number("robots", self.robots, 2, 1000)
        check_number("rate", self.rate, 1.0, 1000.0, unit="Hz")
        check_number("timeout", self.timeout, 0.05, 60.0, unit="s")
        check_number("seconds", self.seconds, 1.0, 600.0, unit="s")

    def run(self) -> None:
        """Plays the robots, and prints the table."""
        with serving(self.model, 2, keys=None, cpu=None, nice=self.nice) as services:
            report = asyncio.run(_play(self, services))
        for part, name in zip(report.parts, ("other service", "lost service"), strict=True):
            print(f"{name}: {dict(part.outcomes)}")
        print_table(("", "other service", "lost service"), report.rows())
        write_json(self.json, report.to_dict())


@dataclass
class Part:
    """The robots of one service."""

    robots: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    """Calls by their result: ``answered`` or the name of the error."""
    outcomes_while_dead: Counter[str] = field(default_factory=Counter[str])
    longest_s: float = 0.0
    """Longest call [s]."""
    lost_per_robot: list[int] = field(default_factory=list[int])
    """Reports of a lost recurrent state, by robot."""
    back_after_s: list[float] = field(default_factory=list[float])
    """First answer after the service answered ``hello`` again, by robot [s]."""


@dataclass
class Report:
    """Result of the run."""

    timeout_s: float
    parts: tuple[Part, Part]
    """Robots of the service that stays, and of the one that is lost."""

    def to_dict(self) -> dict[str, object]:
        """Returns the result for a file."""
        names = ("other_service", "lost_service")
        parts = dict(zip(names, map(vars, self.parts), strict=True))
        return {"timeout_s": self.timeout_s, **parts}

    def rows(self) -> list[list[str]]:
        """Returns the rows of the table."""
        parts = self.parts
        return [
            ["robots", *[str(part.robots) for part in parts]],
            ["calls answered", *[str(part.outcomes["answered"]) for part in parts]],
            ["calls failed", *[str(_failed(part.outcomes)) for part in parts]],
            ["calls failed while the process was dead",
             *[str(_failed(part.outcomes_while_dead)) for part in parts]],
            [f"longest call [s], timeout {self.timeout_s:g} s",
             *[f"{part.longest_s:.3f}" for part in parts]],
            ["reports of a lost state per robot, least and most",
             *[f"{min(part.lost_per_robot)} and {max(part.lost_per_robot)}" for part in parts]],
            ["first answer after the service was back, p50 and max [s]",
             *[_spread(part.back_after_s) for part in parts]],
        ]  # fmt: skip


def _failed(outcomes: Counter[str]) -> int:
    return outcomes.total() - outcomes["answered"]


def _spread(times: list[float]) -> str:
    return f"{np.median(times):.2f} and {max(times):.2f}" if times else "-"


class _Run:
    """The robots, and the times of loss and return [s]."""

    def __init__(self, config: Lost, client: AsyncShardedClient, stays: Service) -> None:
        self.config = config
        self.client = client
        self.stays = stays
        self.parts = (Part(), Part())
        self.ends = self.died = self.back = float("inf")
        manifest = OnnxPolicy(config.model).manifest
        self._observation = np.zeros((1, manifest.observation_size), np.float32)
        self._arguments = command_of(manifest)

    async def robot(self, number: int) -> None:
        """Plays one robot until the end."""
        name, period_s = f"robot {number}", 1.0 / self.config.rate
        is_lost = self.client.address_of(name) != self.stays.address
        part = self.parts[is_lost]
        part.robots += 1
        lost, back = 0, None
        due = time.monotonic() + period_s * number / self.config.robots
        while due < self.ends:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            start = time.monotonic()
            try:
                await self.client.act(self._observation, session=name, **self._arguments)
                outcome = "answered"
            except ClientError as error:
                outcome = type(error).__name__
            end = time.monotonic()
            lost += outcome == "SessionLostError"
            if outcome == "answered" and back is None and start > self.back:
                back = end - self.back
            self._note(part, outcome, start, end)
            due = max(due + period_s, end)
        part.lost_per_robot.append(lost)
        if is_lost and back is not None:
            part.back_after_s.append(back)

    def _note(self, part: Part, outcome: str, start: float, end: float) -> None:
        part.outcomes[outcome] += 1
        part.longest_s = max(part.longest_s, end - start)
        if self.died < start < self.back:
            part.outcomes_while_dead[outcome] += 1


async def _play(config: Lost, services: Sequence[Service]) -> Report:
    stays, dies = services
    addresses = [stays.address, dies.address]
    async with AsyncShardedClient(addresses, timeout_s=config.timeout) as client:
        run = _Run(config, client, stays)
        robots = [asyncio.create_task(run.robot(number)) for number in range(config.robots)]
        await asyncio.sleep(config.seconds)
        await asyncio.to_thread(dies.kill)
        run.died = time.monotonic()
        await asyncio.sleep(config.seconds)
        again = await asyncio.to_thread(
            lambda: Service(config.model, port=dies.port, nice=config.nice)
        )
        try:
            await asyncio.to_thread(again.wait_until_it_answers)
            run.back = time.monotonic()
            run.ends = run.back + config.seconds
            await asyncio.gather(*robots)
        finally:
            again.close()
    return Report(timeout_s=config.timeout, parts=run.parts)
