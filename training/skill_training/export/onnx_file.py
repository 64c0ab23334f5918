"""Export of a policy as one self-describing ONNX file, which is checked against torch."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from skill_proto.files.atomic_file import replacing
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_training.device import exact_matmul
from skill_training.errors import ExportError
from skill_training.export.compatibility import DEFAULT_OPSET, make_compatible
from skill_training.export.graph import PolicyGraph
from skill_training.export.inputs import check_names, random_inputs, zero_states
from skill_training.nets.finite import NotFiniteError, check_parts

PARITY_TOLERANCE = 1e-5
"""Largest allowed difference between torch and ONNX Runtime, on values of order one."""

PARITY_BATCHES = (1, 64)
"""Batch sizes of the parity check."""

PARITY_SAMPLES = 1000
"""Number of random inputs per batch size."""

PARITY_STEPS = 100
"""Number of steps of an episode with recurrent states: 4 s at 25 Hz."""

SEQUENCE_BATCH = 16
"""Number of episodes with recurrent states."""

T = TypeVar("T")


def export_policy(
    graph: PolicyGraph, manifest: PolicyManifest, path: Path, opset: int = DEFAULT_OPSET
) -> float:
    """Writes ``path``; an existing file is replaced only after the new one passed the check.

    Args:
        graph: The policy, on any device. It is not changed.
        manifest: The manifest of the file.
        path: The ``.onnx`` file.
        opset: Operator set of ONNX, one of ``compatibility.OPSETS``.

    Returns:
        The largest difference from torch.

    Raises:
        ExportError: the graph's tensors are not those of the manifest, its parameters or outputs
            are not finite, the exported graph differs from ``graph`` by more than
            :data:`PARITY_TOLERANCE`, or the file cannot be written.
    """
    check_names(graph, manifest)
    graph = graph.for_shipping()
    _check_finite(graph, manifest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            _write(graph, manifest, temporary, opset)
            worst = parity(graph, manifest, temporary)
            if problem := _parity_problem(worst):
                raise ExportError(f"{problem}; no file was written to {path}")
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from None
    return worst


def _parity_problem(worst: float) -> str:
    """Returns the reason why a difference from torch is not accepted; '' if it is."""
    if worst <= PARITY_TOLERANCE:
        return ""
    if np.isfinite(worst):
        return f"ONNX and torch differ by {worst:.2e}, more than {PARITY_TOLERANCE:.0e}"
    return "ONNX Runtime computes NaN or infinity for inputs whose output in torch is finite"


def _check_finite(graph: PolicyGraph, manifest: PolicyManifest) -> None:
    """Checks a policy before its export: its parameters, and its outputs for random inputs.

    Raises:
        ExportError: a number is NaN or infinite, e.g. because the training diverged.
    """
    try:
        check_parts({"policy": graph})
        inputs = random_inputs(graph, manifest, PARITY_SAMPLES, torch.Generator().manual_seed(0))
        with exact_matmul(), torch.no_grad():
            outputs = graph(*inputs)
        for name, values in zip(graph.output_names, outputs, strict=True):
            wrong = values[~values.isfinite()]
            if len(wrong):
                raise NotFiniteError(f"its output {name} is {wrong[0].item()} for ordinary inputs")
    except NotFiniteError as error:
        raise diverged(error) from None


def diverged(error: NotFiniteError) -> ExportError:
    """Returns the error for a policy with numbers that are not finite."""
    return ExportError(
        f"the policy cannot be exported: {error}. Its training diverged; train a new run with a "
        "lower learning rate"
    )


def parity(graph: PolicyGraph, manifest: PolicyManifest, path: Path) -> float:
    """Returns the largest difference between ``graph`` (in float32) and the ONNX file.

    The check runs :data:`PARITY_SAMPLES` random inputs at each batch size of
    :data:`PARITY_BATCHES`. If there are recurrent states, it also runs :data:`PARITY_STEPS` steps
    in which each side gets its own states. The difference is relative for values above 1.
    """
    session = _session(path)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    with exact_matmul(), torch.no_grad():
        for batch in PARITY_BATCHES:
            inputs = random_inputs(graph, manifest, PARITY_SAMPLES, generator)
            for start in range(0, PARITY_SAMPLES, batch):
                part = tuple(value[start : start + batch] for value in inputs)
                theirs = _run(session, graph, _feed(graph, part))
                worst = max(worst, _difference(graph(*part), theirs))
        if manifest.recurrent:
            worst = max(worst, _sequence_parity(graph, manifest, session, generator))
    return worst


def _sequence_parity(
    graph: PolicyGraph,
    manifest: PolicyManifest,
    session: ort.InferenceSession,
    generator: torch.Generator,
) -> float:
    """Returns the largest difference in episodes, over which rounding errors may accumulate."""
    names = [state.name for state in manifest.recurrent]
    ours = zero_states(manifest, SEQUENCE_BATCH)
    theirs = {name: value.numpy() for name, value in ours.items()}
    worst = 0.0
    for _ in range(PARITY_STEPS):
        drawn = random_inputs(graph, manifest, SEQUENCE_BATCH, generator)
        inputs = dict(zip(graph.input_names, drawn, strict=True)) | ours
        here = graph(*(inputs[name] for name in graph.input_names))
        there = _run(session, graph, _feed(graph, drawn) | theirs)
        worst = max(worst, _difference(here, there))
        ours = _next_states(names, graph, here)
        theirs = _next_states(names, graph, there)
    return worst


def _run(
    session: ort.InferenceSession, graph: PolicyGraph, feed: dict[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    # All outputs are dense tensors; the signature of ONNX Runtime also allows other types.
    return cast("list[NDArray[Any]]", session.run(graph.output_names, feed))


def _feed(graph: PolicyGraph, inputs: tuple[Tensor, ...]) -> dict[str, NDArray[Any]]:
    return {name: value.numpy() for name, value in zip(graph.input_names, inputs, strict=True)}


def _next_states(names: Sequence[str], graph: PolicyGraph, outputs: Sequence[T]) -> dict[str, T]:
    return {name: outputs[graph.output_names.index(f"next_{name}")] for name in names}


def _difference(ours: Sequence[Tensor], theirs: Sequence[NDArray[Any]]) -> float:
    worst = 0.0
    for here, there in zip(ours, theirs, strict=True):
        expected = here.numpy()
        difference = np.abs(expected - there) / np.maximum(np.abs(expected), 1.0)
        worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max()))
    return worst


def _write(graph: PolicyGraph, manifest: PolicyManifest, path: Path, opset: int) -> None:
    example = random_inputs(graph, manifest, 2, torch.Generator().manual_seed(0))
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    with _quiet_exporter():
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=graph.input_names,
            output_names=graph.output_names,
            dynamic_shapes=tuple({0: batch} for _ in example),
        )
    if program is None:
        raise ExportError("torch.onnx.export returned no program")
    for node in program.model.graph:
        # The exporter stores stack traces, with paths of the training machine.
        node.metadata_props.clear()
    program.model.metadata_props[METADATA_KEY] = manifest.to_json()
    model = program.model_proto
    make_compatible(model)
    path.write_bytes(model.SerializeToString())


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet_exporter() -> Generator[None]:
    """Silences the exporter's progress messages and known warnings; failures are exceptions."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch 2.13 warns about its own pytree internals and about the shared batch axis.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*axis name.*", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)
