"""Servers, clients and parts of them, for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper
from tests.support.router_peer import Peer
from tests.support.served import Served, serving

from skill_proto.messages import Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.authority import Authority
from skill_runtime.client.client import SkillClient
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.doctor.machine import Limits, Machine
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_runtime.realtime.latency import TickTimes
from skill_runtime.server.telemetry import make_telemetry


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves a model until the test ends; options as in :func:`serving`."""
    with ExitStack() as running:

        def start(model: Path, **options: Any) -> Served:  # noqa: ANN401  those of serving()
            return running.enter_context(serving(model, **options))

        yield start


@pytest.fixture
def served(serve: Callable[..., Served], policy_file: Path) -> Served:
    """A server with the hand-written pusher and a simulated arm that holds."""
    return serve(policy_file)


@pytest.fixture
def client(served: Served) -> Iterator[SkillClient]:
    """A client of that server, with nothing asked yet."""
    with SkillClient(served.address, timeout_s=10.0) as client:
        yield client


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Stands for a server; answers as the test says."""
    peer = Peer()
    yield peer
    peer.close()


GOAL_EXTRA = """
<ir_version: 10, opset_import: ["" : 20]>
estimator (float[batch,2] context) => (float[batch,2] estimate)
{ estimate = Exp (context) }
"""


@pytest.fixture(scope="session")
def goal_file(
    tmp_path_factory: pytest.TempPathFactory, make_policy_file: Callable[..., Path]
) -> Path:
    """The hand-written pusher as a policy of goals alone, with a memory, a context and estimates.

    Its context is ``memory / 2 + cube xy`` and says nothing of mass or friction; ``estimate`` is
    the exponential of it, so that a test can tell what to expect.
    """
    folder = tmp_path_factory.mktemp("goal_policy")
    graph = onnx.load(make_policy_file(folder, recurrent=True))
    del graph.metadata_props[:]
    for name, value in (("skill", [[0.0, 0.0]]), ("use_goal", [[1.0]])):
        graph.graph.input.remove(next(i for i in graph.graph.input if i.name == name))
        graph.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    graph.graph.output.remove(next(o for o in graph.graph.output if o.name == "skill_used"))
    extra = onnx.parser.parse_model(GOAL_EXTRA).graph
    graph.graph.node.extend(extra.node)
    graph.graph.output.extend(extra.output)
    onnx.checker.check_model(graph, full_check=True)
    return make_policy_file(
        folder,
        filename="push_to_goal.onnx",
        model=graph,
        recurrent=True,
        name="push_to_goal",
        skill={"kind": "none", "size": 0},
        representation=None,
        context={
            "size": 2,
            "center": [0.0, 0.0],
            "whitening": [[10.0, 0.0], [0.0, 10.0]],
            "typical_distance": 2.0,
            "estimates": [
                {"name": "cube_mass", "unit": "kg", "log_r2": 0.8},
                {"name": "cube_table_friction", "unit": "1", "log_r2": None},
            ],
        },
    )


@pytest.fixture
def pilot(policy_file: Path) -> ArmController:
    """Of a simulated arm, without a server."""
    return ArmController(MujocoArm(seed=4), OnnxPolicy(policy_file))


@pytest.fixture
def telemetry_of() -> Callable[..., Telemetry]:
    """What would be published of a pilot, and of an authority where one is given."""

    def make(pilot: ArmController, authority: Authority | None = None) -> Telemetry:
        return make_telemetry(
            authority=authority or Authority(),
            pilot=pilot,
            timing=TickTimes(1).timing(0),
            now=1.0,
            tick=1,
            seq=1,
        )

    return make


@pytest.fixture
def make_machine() -> Callable[..., Machine]:
    """A real-time machine with nothing to change, fields replaced by those given."""

    def make(**fields: Any) -> Machine:  # noqa: ANN401  a machine's fields have many types
        good = Machine(
            kernel="6.12.1-rt5",
            preempt_rt=True,
            announces_rt=True,
            processors=tuple(range(8)),
            isolated=(),
            governors=("performance",),
            hypervisor="",
            container=False,
            clock_source="tsc",
            load=0.1,
            limits=Limits(rtprio=99, memlock_bytes=None),
        )
        return replace(good, **fields)

    return make
