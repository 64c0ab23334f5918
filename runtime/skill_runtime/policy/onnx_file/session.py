"""Opens an ONNX Runtime session on a policy's bytes; a failure gives the reason and the fix."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort

from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.scan import OnnxScan

Device = Literal["cpu", "cuda"]

_REASON_LENGTH = 300
"""Longest part of a reason of ONNX Runtime that an error quotes: its end, which names the cause."""


def open_session(path: Path, content: bytes, found: OnnxScan, device: Device) -> Any:  # noqa: ANN401  onnxruntime has no types
    """Returns an ``onnxruntime.InferenceSession`` on the bytes of a file.

    The bytes that were checked are the bytes that are loaded: a file that is replaced meanwhile has
    no effect.

    Args:
        path: The file, for errors.
        content: Its bytes.
        found: The scan of these bytes.
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        PolicyFileError: ONNX Runtime refuses the model, or has no such device.
    """
    options = ort.SessionOptions()
    # One thread and no spinning: an inference takes microseconds, and threads that spin while they
    # wait for work take the processor from the control loop.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # failures become a PolicyFileError
    try:
        if device == "cuda":
            return _cuda_session(path, content, options)
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except PolicyFileError:
        raise
    # onnxruntime's exceptions derive from Exception directly and differ between its versions.
    except Exception as error:
        raise _refusal(path, reason_of(error), found) from None


def reason_of(error: Exception) -> str:
    """Returns the reason of an error of ONNX Runtime on one line of bounded length.

    The status and the place in the source code at its start are left out. A reason that is still
    too long loses its beginning, because the cause is at the end.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^/\S+:\d+ .*?\) (?=[A-Z])", "", text)
    if len(text) > _REASON_LENGTH:
        text = f"... {text[-_REASON_LENGTH:]}"
    return text.rstrip(". ")


_RUNTIME = f"ONNX Runtime {ort.__version__}"

_NO_OPERATOR = (
    (r"No Op registered for (\S+) with domain_version of (\d+)", "{0!r} in operator set {1}"),
    (r"(?:^|\s)([\w.]*):(\w+)\(-?\d+\) is not a registered function", "{1!r} of the domain {0!r}"),
    (r"Could not find an implementation for (\S+?)\((\d+)\)", "{0!r}, version {1}, for this graph"),
    (
        r"No opset import for domain '([^']*)'",
        "of the domain {0!r}, which it does not import",
    ),
)
"""Texts by which ONNX Runtime reports an operator that it lacks, and the name of the operator."""


def _refusal(path: Path, reason: str, found: OnnxScan) -> PolicyFileError:
    """Returns the error for a model that ONNX Runtime does not load."""
    limit = re.search(r"max supported IR version: (\d+)", reason)
    if limit is not None:
        return PolicyFileError(
            path,
            f"its IR version (version of the file format) is {found.ir_version}, and {_RUNTIME} "
            f"reads up to {limit[1]}",
            f"an ONNX file of IR version {limit[1]} or older",
            "upgrade ONNX Runtime, or export the policy with an older version of onnx",
        )
    limit = re.search(r"for domain (\S+) is till opset (\d+)", reason)
    if limit is not None:
        version = found.opsets.get(limit[1], "newer")
        return PolicyFileError(
            path,
            f"its operator set {limit[1]} has version {version}, and {_RUNTIME} reads up to "
            f"{limit[2]}",
            f"an ONNX file of opset {limit[2]} or older",
            f"upgrade ONNX Runtime, or export the policy with opset_version={limit[2]}",
        )
    for pattern, operator in _NO_OPERATOR:
        missing = re.search(pattern, reason)
        if missing is not None:
            return PolicyFileError(
                path,
                f"{_RUNTIME} has no operator {operator.format(*missing.groups())}",
                "a graph of standard ONNX operators that this ONNX Runtime has",
                "export the policy with standard operators, or upgrade ONNX Runtime if the "
                "operator is newer",
            )
    return PolicyFileError(
        path,
        f"cannot be read as an ONNX model: {reason}",
        "one complete ONNX file, weights inside",
        "copy or download it again if it was damaged, or export it again",
    )


def _cuda_session(path: Path, content: bytes, options: Any) -> Any:  # noqa: ANN401  onnxruntime has no types
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
                content, options, providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
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
