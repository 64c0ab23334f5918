"""The sliders that all tabs share: a tab that watches changes nothing. With two real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Literal

import pytest
import viser
from tests.support.served import until
from tests.support.web_tab import RawTab

from skill_proto.manifest import PolicyManifest
from skill_runtime.subscribers.web.access import new_token
from skill_runtime.subscribers.web.inputs import Inputs
from skill_runtime.subscribers.web.server import PageConfig, PageServer, open_server

TOKEN = new_token()

Picks = list[tuple[int, tuple[float, ...]]]


@pytest.fixture
def server() -> Iterator[PageServer]:
    server = open_server(PageConfig(host="127.0.0.1", port=0, token=TOKEN))
    yield server
    server.stop()


@pytest.fixture
def tabs(server: PageServer) -> Iterator[tuple[RawTab, RawTab]]:
    """Two tabs, of which the first steers."""
    with ExitStack() as stack:
        first = stack.enter_context(RawTab(server.get_port(), TOKEN))
        until(lambda: len(server.get_clients()) == 1)
        second = stack.enter_context(RawTab(server.get_port(), TOKEN))
        until(lambda: len(server.get_clients()) == 2)
        yield first, second


def add(server: PageServer, manifest: PolicyManifest) -> tuple[Inputs, Picks]:
    """Adds the inputs of a policy; the first tab alone may use them."""
    picks: Picks = []

    def may_act(tab: viser.ClientHandle) -> bool:
        return tab.client_id == min(server.get_clients())

    def picked(
        tab: viser.ClientHandle, kind: Literal["skill", "goal"], values: tuple[float, ...]
    ) -> bool:
        del kind
        picks.append((tab.client_id, values))
        return may_act(tab)

    return Inputs(server.gui, manifest, picked, may_act), picks


def test_a_refused_skill_is_taken_back(
    server: PageServer, tabs: tuple[RawTab, RawTab], make_manifest: Callable[..., PolicyManifest]
) -> None:
    skill = {"kind": "sphere", "size": 3, "hold_steps": 100}
    _, picks = add(server, make_manifest(skill=skill, representation=None))
    first, second = tabs
    second.set_value(server, "skill 1", 0.5)
    until(lambda: len(picks) == 1)
    assert picks[-1][1] == (0.5, 0.0, 0.0)
    until(lambda: second.value(server, "skill 1") == 1.0)
    first.set_value(server, "skill 2", 0.25)
    until(lambda: len(picks) == 2)
    assert picks[-1][1] == (1.0, 0.25, 0.0)
    second.set_value(server, "skill 2", -0.5)
    until(lambda: len(picks) == 3)
    until(lambda: second.value(server, "skill 2") == 0.25)


def test_a_tab_that_watches_changes_no_goal(
    server: PageServer, tabs: tuple[RawTab, RawTab], make_manifest: Callable[..., PolicyManifest]
) -> None:
    goal = make_manifest().goal
    assert goal is not None
    changed = {"components": (0, 1, 2), "low": (-0.1, -0.1, 0.0), "high": (0.1, 0.1, 0.4)}
    inputs, _ = add(server, make_manifest(goal=goal.model_dump() | changed))
    first, second = tabs
    assert inputs.goal((0.0, 0.1)) == (0.0, 0.1, 0.2)
    second.set_value(server, "goal 3 [m]", 0.4)
    second.set_value(server, "goal 3 [m]", 0.3)
    first.set_value(server, "goal 3 [m]", 0.1)
    until(lambda: inputs.goal(()) == (0.1,))
    second.set_value(server, "goal 3 [m]", 0.4)
    until(lambda: second.value(server, "goal 3 [m]") == 0.1)
    assert inputs.goal(()) == (0.1,)
