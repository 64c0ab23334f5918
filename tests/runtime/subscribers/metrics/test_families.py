"""The metrics of one state, and the dashboard that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry
from tests.support.controller_bench import bench

from skill_proto.messages import Connection, Telemetry
from skill_runtime.subscribers.metrics.families import PREFIX, state_families

DASHBOARD = Path(__file__).parents[4] / "deploy/grafana/skill-serve.json"


@pytest.fixture
def state(policy_file: Path, telemetry_of: Callable[..., Telemetry]) -> Telemetry:
    """A state in which every number is known."""
    running = bench(policy_file)
    running.command("goal", [0.1, 0.0], "goal")
    running.run(0.5)
    state = telemetry_of(running.controller, running.authority)
    timing = state.timing.model_copy(
        update={"wakeup_latency_le_us": (50.0, 100.0), "wakeup_latency_count": (3, 9, 10)}
    )
    connection = Connection(
        success_rate=0.98, missed_setpoints=2, lateness_s=0.001, reflexes=1, last_reflex=()
    )
    counters = {"leases": 1, "rejected": 3, "rejected.stale": 2, "rejected.busy": 1}
    cube = state.objects["cube"].model_copy(update={"age_s": 0.04})
    return state.model_copy(
        update={
            **{"timing": timing, "connection": connection, "counters": counters},
            **{"objects": {"cube": cube}, "fault": "arm", "context_distance": 0.6},
            "outside": True,
            **{"context_estimate": {"cube_mass": 0.5, "unknown": None}},
        }
    )


def samples(state: Telemetry) -> dict[tuple[str, ...], float]:
    """Returns the values by name and labels, as Prometheus reads them."""

    class One(Collector):
        def collect(self) -> list[Metric]:
            return list(state_families(state))

    registry = CollectorRegistry()
    registry.register(One())
    text = generate_latest(registry).decode()
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_histogram_is_cumulative_and_in_seconds(state: Telemetry) -> None:
    found = samples(state)
    name = "tick_wakeup_latency_seconds_bucket"
    assert [found[name, bound] for bound in ("5e-05", "0.0001", "+Inf")] == [3, 9, 10]


def test_parts_are_counted_without_their_sum(state: Telemetry) -> None:
    found = samples(state)
    events = {key[1:]: value for key, value in found.items() if key[0] == "events_total"}
    assert events == {("leases", ""): 1, ("rejected", "stale"): 2, ("rejected", "busy"): 1}


def test_the_state_in_numbers(state: Telemetry) -> None:
    found = samples(state)
    modes = {key[1]: value for key, value in found.items() if key[0] == "mode"}
    assert {mode for mode, value in modes.items() if value} == {"goal"}
    assert len(modes) == 6
    assert found["fault", "arm"] == 1
    assert found["fault", "policy"] == 0
    assert found["policy_steps_total",] == state.policy_steps > 0
    assert found["context_estimate", "cube_mass"] == 0.5
    assert ("context_estimate", "unknown") not in found
    assert found["object_age_seconds", "cube"] == 0.04
    assert found["connection_success_ratio",] == 0.98
    assert found["missed_setpoints_total",] == 2
    assert found["outside",] == 1.0


def test_a_number_that_is_not_known_has_no_metric(state: Telemetry) -> None:
    bare = state.model_copy(
        update={
            **{"goal_distance": None, "context_distance": None, "context_estimate": None},
            **{"headroom": None, "connection": None, "objects": {}, "outside": None},
        }
    )
    names = {key[0] for key in samples(bare)}
    assert names.isdisjoint({"goal_distance", "context_distance", "headroom", "reflexes_total"})
    assert "outside" not in names
    assert "mode" in names


def test_every_query_of_the_dashboard_names_a_metric_and_its_labels(state: Telemetry) -> None:
    exported = {"up", "telemetry_age_seconds"} | {key[0] for key in samples(state)}
    labels = {
        family.name.removeprefix(PREFIX): {label for s in family.samples for label in s.labels}
        for family in state_families(state)
    }
    board = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    queried: set[str] = set()
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            names = re.findall(rf"{PREFIX}(\w+)", target["expr"])
            assert names
            assert set(names) <= exported, panel["title"]
            queried |= set(names)
            known = labels.get(re.sub(r"_(total|bucket)$", "", names[0]), set())
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in known, (panel["title"], label)
            for label in re.findall(r"[{,](\w+)=", target["expr"]):
                assert label in known, (panel["title"], label)
    unseen = exported - queried
    assert unseen <= {"lease_held", "braking", "fault"}
