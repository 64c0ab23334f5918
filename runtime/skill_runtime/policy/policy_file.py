"""Opens a policy file and checks ONNX graph and manifest against each other before any motion.

The manifest is stored in the file. For a graph from another exporter it may be a JSON file beside
it (``walk.onnx`` and ``walk.manifest.json``), whose ``tensors`` maps the contract's tensor names to
the graph's.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort

from skill_proto.manifest import METADATA_KEY, ManifestError, PolicyManifest

Device = Literal["cpu", "cuda"]

logger = logging.getLogger(__name__)


class PolicyFileError(Exception):
    """A policy file cannot be served; the text names the problem, the expectation and the fix."""

    def __init__(self, path: Path, problem: str, expected: str, fix: str) -> None:
        super().__init__(f"{path}: {problem}. Expected: {expected}. Fix: {fix}.")
        self.path = path
        self.problem = problem
        self.expected = expected
        self.fix = fix


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of the graph."""

    name: str
    """Name in the contract of policy files, e.g. 'observation'."""
    graph_name: str
    """Name in the graph."""
    row_shape: tuple[int, ...]
    """Shape without the batch axis."""
    shape_of_one: tuple[int, ...]
    """Shape that the graph takes for a batch of one."""


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """An open policy file whose graph and manifest agree."""

    path: Path
    manifest: PolicyManifest
    session: Any
    """The ``onnxruntime.InferenceSession``."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batched: bool
    """Whether the graph takes any number of rows at once, along axis 0."""


def load_manifest(path: Path | str) -> PolicyManifest:
    """Returns the manifest of a policy file without checking the graph's tensors.

    Raises:
        PolicyFileError: The file cannot be read, or has no valid manifest.
    """
    path = Path(path)
    return _read_manifest(path, _open_session(path, "cpu"))


def open_policy_file(path: Path | str, *, device: Device = "cpu") -> PolicyFile:
    """Opens a policy file on ``device`` and checks that graph and manifest agree.

    Raises:
        PolicyFileError: The file cannot be read, or graph and manifest disagree.
    """
    path = Path(path)
    session = _open_session(path, device)
    manifest = _read_manifest(path, session)
    faults: list[str] = []
    inputs = _match("input", session.get_inputs(), manifest, faults)
    outputs = _match("output", session.get_outputs(), manifest, faults)
    if faults:
        raise PolicyFileError(
            path,
            "graph and manifest contradict each other: " + "; ".join(faults),
            "the tensors that docs/policy-file.md lists, float32, in the sizes the manifest gives",
            "export the policy again, or correct the manifest (its 'tensors' maps names and batch)",
        )
    return PolicyFile(
        path=path,
        manifest=manifest,
        session=session,
        inputs=inputs,
        outputs=outputs,
        batched=manifest.tensors.batch_axis == 0
        and all(_is_dynamic(node.shape[0]) for node in session.get_inputs()),
    )


def _open_session(path: Path, device: Device) -> Any:  # noqa: ANN401  onnxruntime has no types
    if not path.is_file():
        raise PolicyFileError(
            path,
            "is a folder" if path.is_dir() else "there is no such file",
            "an ONNX policy file",
            "check the path; `skill-train` writes policy.onnx into its run folder",
        )
    options = ort.SessionOptions()
    # One thread and no spinning: an inference takes microseconds, and threads that spin while they
    # wait for work take the processor from the control loop.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # failures become a PolicyFileError
    try:
        if device == "cuda":
            return _cuda_session(path, options)
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except PolicyFileError:
        raise
    # onnxruntime's exceptions derive from Exception directly and differ between its versions.
    except Exception as error:
        raise PolicyFileError(
            path,
            f"cannot be read as an ONNX model: {_first_line(error)}",
            "one complete ONNX file, weights inside (no external data)",
            "copy or download it again if it was cut short, or export it again",
        ) from None


def _cuda_session(path: Path, options: Any) -> Any:  # noqa: ANN401  onnxruntime has no types
    """Returns a session on CUDA. ONNX Runtime itself would silently fall back to the CPU."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise _no_cuda(path, "this ONNX Runtime is built without CUDA")
    # ONNX Runtime prints the reason why a library did not load; the error quotes it.
    printed = io.StringIO()
    ort.set_default_logger_severity(4)
    try:
        with contextlib.redirect_stdout(printed):
            if hasattr(ort, "preload_dlls"):
                ort.preload_dlls(msvc=False)  # finds the CUDA libraries that pip installed
            session = ort.InferenceSession(
                str(path), options, providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
            )
    finally:
        ort.set_default_logger_severity(2)
    if session.get_providers()[0] != "CUDAExecutionProvider":
        reason = printed.getvalue().strip().splitlines()
        raise _no_cuda(
            path, "ONNX Runtime could not start it" + "".join(f" ({r})" for r in reason[:1])
        )
    return session


def _no_cuda(path: Path, problem: str) -> PolicyFileError:
    return PolicyFileError(
        path,
        f"device 'cuda' was requested, but {problem}",
        "an NVIDIA GPU with its driver, onnxruntime-gpu, and the CUDA and cuDNN that it needs",
        "install them, or use --device cpu",
    )


def _read_manifest(path: Path, session: Any) -> PolicyManifest:  # noqa: ANN401  as above
    sidecar = path.with_suffix(".manifest.json")
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    source = "the manifest in the file"
    if text is None and sidecar.is_file():
        text, source = _read_text(path, sidecar), str(sidecar)
    elif text is not None and sidecar.is_file():
        logger.warning("%s is ignored: %s carries its own manifest", sidecar, path)
    if text is None:
        raise PolicyFileError(
            path,
            f"it carries no manifest ('{METADATA_KEY}' in its metadata), and there is no {sidecar}",
            "a policy file with the manifest of its observations, actions and training",
            "export it with skill-train, or write the manifest beside it (docs/policy-file.md)",
        )
    try:
        return PolicyManifest.from_json(text)
    except ManifestError as error:
        raise PolicyFileError(
            path,
            f"{source} cannot be used: {error}",
            "a manifest as in docs/policy-file.md",
            "correct the fields named, or export the policy again",
        ) from None


def _read_text(path: Path, sidecar: Path) -> str:
    try:
        return sidecar.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PolicyFileError(
            path,
            f"the manifest beside it, {sidecar}, cannot be read: {error.strerror}",
            "a readable JSON file",
            "check its permissions",
        ) from None


def _expected_inputs(manifest: PolicyManifest) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Returns the row shape of each input, and whether the graph must have it."""
    expected: dict[str, tuple[tuple[int, ...], bool]] = {
        "observation": ((manifest.observation_size,), True),
        "previous_action": ((manifest.action_size,), False),
    }
    if manifest.skill.size:
        expected["skill"] = ((manifest.skill.size,), True)
    if manifest.goal is not None:
        expected["goal"] = ((manifest.goal_size,), True)
        expected["use_goal"] = ((1,), manifest.skill.size > 0)
    for state in manifest.recurrent:
        expected[state.name] = (state.shape, True)
    return expected


def _expected_outputs(manifest: PolicyManifest) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Returns the row shape of each output, and whether the graph must have it."""
    expected: dict[str, tuple[tuple[int, ...], bool]] = {"action": ((manifest.action_size,), True)}
    if manifest.skill.size:
        # A policy without goals always uses the given skill, so it need not return it.
        expected["skill_used"] = ((manifest.skill.size,), manifest.goal is not None)
    for state in manifest.recurrent:
        expected[f"next_{state.name}"] = (state.shape, True)
    if manifest.context is not None:
        expected["context"] = ((manifest.context.size,), True)
        if manifest.context.estimates:
            expected["estimate"] = ((len(manifest.context.estimates),), True)
    return expected


def _match(
    kind: Literal["input", "output"],
    nodes: Sequence[Any],
    manifest: PolicyManifest,
    faults: list[str],
) -> tuple[Tensor, ...]:
    """Pairs the graph's tensors with the manifest's; mismatches are appended to ``faults``."""
    if kind == "input":
        expected, renamed = _expected_inputs(manifest), manifest.tensors.inputs
    else:
        expected, renamed = _expected_outputs(manifest), manifest.tensors.outputs
    by_name = {node.name: node for node in nodes}
    faults.extend(
        f"tensors.{kind}s maps {name!r}, which is none of {', '.join(expected)}"
        for name in renamed
        if name not in expected
    )
    found: list[Tensor] = []
    for name, (row_shape, required) in expected.items():
        graph_name = renamed.get(name, name)
        node = by_name.pop(graph_name, None)
        if node is None:
            if required or name in renamed:
                present = ", ".join(item.name for item in nodes)
                faults.append(f"the graph has no {kind} {graph_name!r} (it has {present})")
            continue
        shape_of_one = _shape_of_one(node.shape, row_shape, manifest.tensors.batch_axis)
        if shape_of_one is None or node.type != "tensor(float)":
            expected_shape = _full_shape(row_shape, manifest.tensors.batch_axis)
            faults.append(
                f"{kind} {node.name!r} is {node.type} {_format_shape(node.shape)}, the manifest "
                f"makes it tensor(float) {_format_shape(expected_shape)}"
            )
            continue
        found.append(
            Tensor(name=name, graph_name=node.name, row_shape=row_shape, shape_of_one=shape_of_one)
        )
    if kind == "input":
        faults.extend(f"the manifest does not explain input {name!r}" for name in by_name)
    return tuple(found)


def _full_shape(row_shape: tuple[int, ...], batch_axis: int | None) -> tuple[int | str, ...]:
    if batch_axis is None:
        return row_shape
    return (*row_shape[:batch_axis], "batch", *row_shape[batch_axis:])


def _shape_of_one(
    shape: Sequence[int | str | None], row_shape: tuple[int, ...], batch_axis: int | None
) -> tuple[int, ...] | None:
    """Returns the graph's shape for a batch of one, or None if it does not fit the manifest.

    Without a batch axis only the number of entries counts: exporters add axes of length 1 (layers,
    time, a fixed batch) that the manifest need not repeat.
    """
    if batch_axis is None:
        one = tuple(1 if _is_dynamic(size) else int(size or 1) for size in shape)
        return one if prod(one) == prod(row_shape) else None
    full = _full_shape(row_shape, batch_axis)
    if len(shape) != len(full) or batch_axis >= len(full):
        return None
    fits = all(
        _is_dynamic(given) or given == (1 if wanted == "batch" else wanted)
        for given, wanted in zip(shape, full, strict=True)
    )
    return tuple(1 if size == "batch" else int(size) for size in full) if fits else None


def _is_dynamic(size: int | str | None) -> bool:
    return not isinstance(size, int)


def _format_shape(shape: Sequence[int | str | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
