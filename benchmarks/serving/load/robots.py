"""``robots``: the largest number of robots that one processor serves."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from benchmarks.lib.inputs import names_of
from benchmarks.lib.ranges import PositiveFloat, PositiveInt, Some
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.load.generator import Played, Task
from benchmarks.serving.load.search import Found, play_in_processes, search
from benchmarks.serving.load.services import Keys, make_keys, serving
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.policy import OnnxPolicy


@dataclass(frozen=True, kw_only=True)
class Robots:
    """Search for the largest number of robots per processor."""

    models: Some[Path] = (Path("models/csf_panda.onnx"), Path("models/goal_panda.onnx"))
    """Policy files; the second default has a recurrent state."""
    keys: Some[bool] = (False, True)
    """Without and with CURVE."""
    rate: PositiveFloat = 25.0
    """Control rate of every robot [Hz]."""
    seconds: PositiveFloat = 5.0
    """Duration of one run [s]."""
    first: PositiveInt = 64
    """First number of robots."""
    most: PositiveInt = 4096
    """Largest number of robots."""
    attempts: PositiveInt = 2
    """Runs of a number of robots that is late; more on a machine with other work."""
    services: PositiveInt = 1
    """Processes of the service, all on one processor; each has a limited number of sessions."""
    processes: PositiveInt = 1
    """Processes of the generator."""
    service_cpu: Annotated[int | None, arg(help_behavior_hint="(default: any)")] = 1
    """Processor of the services."""
    generator_cpu: Annotated[int | None, arg(help_behavior_hint="(default: any)")] = 0
    """Processor of the generator."""
    nice: int = 0
    """Niceness of services and generator, e.g. -15 on a busy machine; below 0 it needs root."""
    json: Path | None = None
    """File for the result."""

    def check(self) -> None:
        """Checks the values.

        Raises:
            UsageError: A value is out of range.
        """
        for model in self.models:
            if not model.is_file():
                raise UsageError(f"{model} is no file; name policy files: --models FILE ...")
        check_number("rate", self.rate, 1.0, 1000.0, unit="Hz")
        check_number("seconds", self.seconds, 1.0, 3600.0, unit="s")
        check_number("first", self.first, 1, self.most)
        check_number("attempts", self.attempts, 1, 100)
        check_number("services", self.services, 1, 64)
        check_number("processes", self.processes, 1, 64)

    def run(self) -> None:
        """Searches for each model, with and without keys."""
        results: list[dict[str, object]] = []
        rows: list[list[str]] = []
        with ExitStack() as stack:
            made = stack.enter_context(make_keys()) if any(self.keys) else None
            for name, model in names_of(self.models).items():
                is_recurrent = bool(OnnxPolicy(model).manifest.recurrent)
                for keyed in self.keys:
                    found = self._search(name, model, made if keyed else None)
                    rows.append(_row(name, is_recurrent, keyed, found))
                    facts = {"model": name, "recurrent": is_recurrent, "curve": keyed}
                    results.append({**facts, **asdict(found)})
        print()
        print_table(HEADERS, rows)
        settings = {"rate_hz": self.rate, "services": self.services, "nice": self.nice}
        write_json(self.json, settings | {"results": results})

    def _search(self, name: str, model: Path, keys: Keys | None) -> Found:
        with serving(
            model, self.services, keys=keys, cpu=self.service_cpu, nice=self.nice
        ) as services:

            def play(robots: int) -> Played:
                task = Task(
                    addresses=[service.address for service in services],
                    pids=[service.popen.pid for service in services],
                    robots=robots,
                    rate_hz=self.rate,
                    seconds=self.seconds,
                    cpu=self.generator_cpu,
                    key=None if keys is None else str(keys.client),
                    server_key=None if keys is None else str(keys.server),
                )
                played = play_in_processes(task, self.processes, self.nice)
                print(_line(name, keys is not None, played), flush=True)
                return played

            return search(play, self.first, self.most, self.attempts)


HEADERS = (
    "model",
    "recurrent",
    "CURVE",
    "robots",
    "p50 [ms]",
    "p99 [ms]",
    "late",
    "requests per inference",
    "service, of a core",
    "us per request",
    "generator, of a core",
    "bytes, request and reply",
    "limit",
)


def _row(model: str, is_recurrent: bool, keyed: bool, found: Found) -> list[str]:
    facts = [model, "yes" if is_recurrent else "no", "yes" if keyed else "no"]
    held = found.held
    if held is None:
        return [*facts, "0", *["-"] * 9]
    return [
        *facts,
        str(held.robots),
        f"{held.p50_ms:.1f}",
        f"{held.p99_ms:.1f}",
        f"{held.late_share:.2%}",
        f"{held.batch_mean:.1f}",
        f"{held.service_cpu:.2f}",
        f"{held.us_per_request:.0f}",
        f"{held.generator_cpu:.2f}",
        f"{held.request_bytes} + {held.reply_bytes}",
        limit(found),
    ]


def limit(found: Found) -> str:
    """Returns the reason why no more robots were served."""
    failed = found.failed
    if failed is None:
        return "not reached"
    if failed.errors or failed.began < failed.robots:
        codes = ", ".join(sorted(failed.errors)) or "no reply"
        return f"refused ({codes}) at {failed.robots}"
    name = "generator" if failed.generator_is_busy and failed.service_cpu < 0.9 else "service"
    return f"{name} late at {failed.robots}"


def _line(model: str, keyed: bool, played: Played) -> str:
    errors = f", errors {played.errors}" if played.errors else ""
    return (
        f"{model}{' with CURVE' if keyed else ''}: {played.robots} robots "
        f"{'hold' if played.holds else 'are late'}: p50 {played.p50_ms:.1f} ms, p99 "
        f"{played.p99_ms:.1f} ms, late {played.late_share:.2%}, "
        f"{played.batch_mean:.1f} requests per inference, service {played.service_cpu:.2f}, "
        f"generator {played.generator_cpu:.2f} of a core, sent late p99 "
        f"{played.sent_late_p99_ms:.1f} ms, load {played.load:.1f}{errors}"
    )
