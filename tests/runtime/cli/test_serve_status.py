"""The banner and the status line of skill-serve."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.served import Served

from skill_proto.messages import Telemetry
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.cli.serve_status import banner, models_text, status_line
from skill_runtime.control.arm_controller import ArmController


def test_the_banner_shows_remarks_and_commands(served: Served) -> None:
    welcome = served.server.gateway_config.welcome
    lines = banner(welcome, DEFAULT_ADDRESS, ["ordinary scheduling"]).splitlines()
    assert "note       ordinary scheduling" in lines
    assert lines[-1] == (
        "try        skill-control skill 1 0, skill-control hello, skill-control watch"
    )
    assert "skill-control hello --address ipc:///arm" in banner(welcome, "ipc:///arm", [])


def test_the_list_of_models_has_those_of_an_arm_first(served: Served) -> None:
    arm = served.server.gateway_config.welcome.manifest
    swimmer = arm.model_copy(update={"plant": None, "description": "Swims. It is trained."})
    lines = models_text({"a_swimmer": swimmer, "pusher": arm}).splitlines()
    assert [line.split()[0] for line in lines] == ["for", "pusher", "without", "a_swimmer"]
    assert lines[-1] == f"  {'a_swimmer':<22}Swims"


def test_refusals_and_the_reason_of_a_stop_are_in_the_status_line(
    telemetry_of: Callable[..., Telemetry], controller: ArmController
) -> None:
    state = telemetry_of(controller)
    assert "  overruns 0" in status_line(state)
    changes = {
        "mode": "stopped",
        "counters": {"rejected.stale": 2, "rejected.invalid": 1, "stops": 1},
        "last_event": "stop: enough",
    }
    assert status_line(state.model_copy(update=changes)).endswith("  refused 3  stop: enough")
