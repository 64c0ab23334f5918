"""``inference``: the time of one inference by its number of rows, of policies and of larger graphs.

The larger graphs are perceptrons of random weights with three hidden layers: they show the size of
a policy from which on the inference, not the handling of requests, decides how many robots a
processor serves. That is the size at which a GPU begins to pay.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from benchmarks.lib.inputs import names_of
from benchmarks.lib.ranges import Counts, PositiveFloat, Some
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.load.priority import starts_with
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.policy import PolicyFileError
from skill_runtime.policy_service.inference.opening import open_stepper

OBSERVATION, ACTION = 64, 8
"""Sizes of the perceptrons' input and output."""

BLOCKS = 5
"""Turns of each measurement; the table has the fastest, which other work disturbed least."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One inference."""

    graph: str
    parameters: int
    rows: int
    us: float
    """Median of the fastest turn [us]."""

    @property
    def us_per_row(self) -> float:
        """Time of one row [us]."""
        return self.us / self.rows


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Time of one inference by its number of rows."""

    models: Some[Path] = (Path("models/csf_panda.onnx"), Path("models/goal_panda.onnx"))
    """Policy files."""
    widths: Counts = (256, 1024, 4096)
    """Widths of the hidden layers of the perceptrons."""
    rows: Counts = (1, 4, 16, 64, 256)
    """Rows of an inference."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the graphs."""
    seconds: PositiveFloat = 0.5
    """Time of each measurement [s]."""
    nice: int = 0
    """Niceness, e.g. -15 on a busy machine; below 0 it needs root."""
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
        for rows in self.rows:
            check_number("rows", rows, 1, 256)
        for width in self.widths:
            check_number("widths", width, 1, 16384)
        check_number("seconds", self.seconds, 0.05, 60.0, unit="s")

    def run(self) -> None:
        """Measures all graphs, prints the table and writes the result."""
        if self.nice:
            starts_with(self.nice)()
        try:
            graphs = [
                policy(name, model, self.device, max(self.rows))
                for name, model in names_of(self.models).items()
            ]
        except PolicyFileError as error:
            raise UsageError(str(error)) from None
        graphs += [perceptron(width, self.device) for width in self.widths]
        results = [
            Measured(
                graph=graph.name,
                parameters=graph.parameters,
                rows=rows,
                us=_fastest(graph.step(rows), self.seconds),
            )
            for graph in graphs
            for rows in self.rows
        ]
        _print(results, self.rows)
        write_json(
            self.json, {"device": self.device, "results": [asdict(result) for result in results]}
        )


@dataclass(frozen=True)
class Graph:
    """A graph to measure."""

    name: str
    parameters: int
    """Number of its weights."""
    step: Callable[[int], Callable[[], object]]
    """Makes the step of a number of rows."""


def policy(name: str, model: Path, device: Literal["cpu", "cuda"], rows: int) -> Graph:
    """Returns the graph of a policy, with its recurrent state, as the service runs it.

    Raises:
        PolicyFileError: The file cannot be served.
    """
    stepper = open_stepper(model, device=device, slots=rows)

    def step(rows: int) -> Callable[[], object]:
        slots, spans = list(range(rows)), [slice(row, row + 1) for row in range(rows)]
        return lambda: stepper.step(slots, lambda: spans)

    return Graph(name, parameters_of(onnx.load(model)), step)


def parameters_of(model: onnx.ModelProto) -> int:
    """Returns the number of weights of a graph."""
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)


def perceptron(width: int, device: str) -> Graph:
    """Returns a perceptron of random weights with three hidden layers.

    Raises:
        UsageError: ONNX Runtime has no CUDA device.
    """
    model = perceptron_graph(width)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    provider = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
    session: Any = ort.InferenceSession(model.SerializeToString(), options, providers=[provider])
    if provider not in session.get_providers():
        raise UsageError("ONNX Runtime has no CUDA device here; leave out --device cuda")
    rng = np.random.default_rng(0)

    def step(rows: int) -> Callable[[], object]:
        observation = rng.normal(size=(rows, OBSERVATION)).astype(np.float32)
        return lambda: session.run(["action"], {"observation": observation})

    return Graph(f"3 x {width}", parameters_of(model), step)


def perceptron_graph(width: int) -> onnx.ModelProto:
    """Returns a perceptron with three hidden layers of this width, and random weights."""
    rng, sizes = np.random.default_rng(0), [OBSERVATION, width, width, width, ACTION]
    nodes: list[Any] = []
    weights: list[Any] = []
    before = "observation"
    for place, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        matrix = rng.normal(0.0, rows**-0.5, (rows, columns)).astype(np.float32)
        weights += [
            numpy_helper.from_array(matrix, f"w{place}"),
            numpy_helper.from_array(np.zeros(columns, np.float32), f"b{place}"),
        ]
        after, last = f"h{place}", place == len(sizes) - 2
        nodes.append(helper.make_node("Gemm", [before, f"w{place}", f"b{place}"], [after]))
        before = "action" if last else f"a{place}"
        nodes.append(helper.make_node("Tanh" if last else "Relu", [after], [before]))
    one = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "perceptron",
        [helper.make_tensor_value_info("observation", one, ["n", OBSERVATION])],
        [helper.make_tensor_value_info("action", one, ["n", ACTION])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _fastest(step: Callable[[], object], seconds: float) -> float:
    """Returns the median time of a step in the fastest of several turns [us]."""
    for _ in range(3):
        step()
    medians: list[float] = []
    for _ in range(BLOCKS):
        times: list[float] = []
        ends = time.perf_counter() + seconds / BLOCKS
        while not times or time.perf_counter() < ends:
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        medians.append(float(np.median(times)))
    return 1e6 * min(medians)


def _print(results: list[Measured], rows: tuple[int, ...]) -> None:
    by_graph: dict[str, list[Measured]] = {}
    for result in results:
        by_graph.setdefault(result.graph, []).append(result)
    headers = ["graph", "parameters", *[f"{n} rows [us]" for n in rows], "us per row, least"]
    print_table(
        headers,
        [
            [
                name,
                f"{measured[0].parameters:,}",
                *[f"{one.us:.0f}" for one in measured],
                f"{min(one.us_per_row for one in measured):.1f}",
            ]
            for name, measured in by_graph.items()
        ],
    )
