"""The exporter while its server comes and goes."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.support.served import DEADLINE_S, serving, until

from skill_runtime.client import SkillClient
from skill_runtime.subscribers.metrics import exporter as module
from skill_runtime.subscribers.metrics.exporter import Exporter


def values(exporter: Exporter) -> dict[str, float]:
    """Returns the metrics with one series each, by name."""
    return {
        sample.name.removeprefix("skill_serve_"): sample.value
        for family in exporter.collect()
        for sample in family.samples
    }


@contextmanager
def exporting(address: str, reasons: list[str]) -> Generator[Exporter]:
    """Runs an exporter until the end of the block."""
    exporter = Exporter(
        lambda: SkillClient(address, timeout_s=1.0), None, lambda error: reasons.append(str(error))
    )
    thread = threading.Thread(target=exporter.run)
    thread.start()
    try:
        yield exporter
    finally:
        exporter.end()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_the_last_values_stay_while_the_server_is_away(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UP_S", 0.5)
    monkeypatch.setattr(module, "RETRY_S", 0.3)
    reasons: list[str] = []
    with ExitStack() as first, ExitStack() as second:
        served = first.enter_context(serving(policy_file))
        exporter = second.enter_context(exporting(served.address, reasons))
        until(lambda: values(exporter).get("ticks_total", 0) > 10)
        assert values(exporter)["up"] == 1
        assert values(exporter)["server_info"] == 1
        first.close()
        until(lambda: values(exporter)["up"] == 0)
        last = values(exporter)["ticks_total"]
        assert last > 10
        assert values(exporter)["telemetry_age_seconds"] > 0.4
        until(lambda: len(reasons) > 0)
        assert "no answer from" in reasons[0]
        second.enter_context(serving(policy_file, addresses=served.server.addresses))
        until(lambda: values(exporter)["up"] == 1)
        assert values(exporter)["ticks_total"] != last


def test_a_server_that_was_never_there_is_down() -> None:
    with exporting("tcp://127.0.0.1:9", reasons := []) as exporter:
        until(lambda: len(reasons) > 0)
        assert values(exporter) == {"up": 0.0}
