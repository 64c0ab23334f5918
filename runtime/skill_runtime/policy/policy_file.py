"""Opens a policy file and checks ONNX graph and manifest against each other before any motion.

The manifest is stored in the file. For a graph from another exporter it may be a JSON file beside
it (``walk.onnx`` and ``walk.manifest.json``), whose ``tensors`` maps the contract's tensor names to
the graph's.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skill_proto.manifest import METADATA_KEY, ManifestError, PolicyManifest
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.file_kind import kind_of
from skill_runtime.policy.onnx_file.model_bytes import read_model
from skill_runtime.policy.onnx_file.session import Device, open_session
from skill_runtime.policy.onnx_file.tensor_match import Tensor, is_dynamic, match_tensors

MAX_MANIFEST_BYTES = 2**24
"""Largest manifest beside a policy file; those of skill-train have about 5 kB."""

MAX_LINKS = 40
"""Longest chain of symbolic links that is followed, as in Linux."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """An open policy file whose graph and manifest agree."""

    path: Path
    manifest: PolicyManifest
    session: Any
    """The ``onnxruntime.InferenceSession``."""
    sha256: str
    """Digest of the bytes that were loaded."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batched: bool
    """Whether the graph takes any number of rows at once."""


def load_manifest(path: Path | str) -> PolicyManifest:
    """Returns the manifest of a policy file without checking the graph's tensors.

    Raises:
        PolicyFileError: The file cannot be read, or has no valid manifest.
    """
    path = Path(path)
    session, _ = _open_session(path, "cpu")
    return _read_manifest(path, session)


def open_policy_file(path: Path | str, *, device: Device = "cpu") -> PolicyFile:
    """Opens a policy file on ``device`` and checks that graph and manifest agree.

    Raises:
        PolicyFileError: The file cannot be read, or graph and manifest disagree.
    """
    path = Path(path)
    session, sha256 = _open_session(path, device)
    manifest = _read_manifest(path, session)
    faults: list[str] = []
    inputs = match_tensors("input", session.get_inputs(), manifest, faults)
    outputs = match_tensors("output", session.get_outputs(), manifest, faults)
    if faults:
        raise PolicyFileError(
            path,
            "graph and manifest contradict each other: " + "; ".join(faults),
            "the tensors that docs/policy-file.md lists, in the sizes the manifest gives",
            "correct the manifest (its 'tensors' maps names and batch; `skill-manifest draft` "
            "writes what the graph tells), or export the policy again",
        )
    return PolicyFile(
        path=path,
        manifest=manifest,
        session=session,
        sha256=sha256,
        inputs=inputs,
        outputs=outputs,
        batched=manifest.tensors.batch_axis == 0 and _is_batched(inputs, session),
    )


def _is_batched(inputs: Sequence[Tensor], session: Any) -> bool:  # noqa: ANN401  onnxruntime has no types
    nodes = {node.name: node for node in session.get_inputs()}
    return all(is_dynamic(nodes[each.graph_name].shape[each.batch_axis]) for each in inputs)


def _open_session(path: Path, device: Device) -> tuple[Any, str]:
    """Returns a session, and the digest of the file."""
    content, found = read_model(path)
    return open_session(path, content, found, device), hashlib.sha256(content).hexdigest()


def _read_manifest(path: Path, session: Any) -> PolicyManifest:  # noqa: ANN401  onnxruntime has no types
    text, source = _find_text(path, session)
    try:
        return PolicyManifest.from_json(text)
    except ManifestError as error:
        raise PolicyFileError(
            path,
            f"{source} cannot be used: {error}",
            "a manifest as in docs/policy-file.md",
            "correct the fields named (`skill-manifest check` explains each), or export the "
            "policy again",
        ) from None


def manifest_text(path: Path | str) -> tuple[str, str]:
    """Returns the JSON text of a file's manifest, and the place that it is from, for users.

    Raises:
        PolicyFileError: The file cannot be read, or has no manifest.
    """
    session, _ = _open_session(Path(path), "cpu")
    return _find_text(Path(path), session)


def _find_text(path: Path, session: Any) -> tuple[str, str]:  # noqa: ANN401  onnxruntime has no types
    places = [link.with_suffix(".manifest.json") for link in _links(path)]
    beside = next((place for place in places if place.is_file()), None)
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is not None:
        if beside is not None:
            logger.warning("%s is ignored: %s carries its own manifest", beside, path)
        return text, "the manifest in the file"
    if beside is None:
        raise PolicyFileError(
            path,
            f"it carries no manifest ('{METADATA_KEY}' in its metadata), and there is no "
            + " or ".join(map(str, places)),
            "a policy file with the manifest of its observations, actions and training",
            f"write one: skill-manifest draft {path}, then fill it in (docs/foreign-policies.md)",
        )
    return _read_text(path, beside), str(beside)


def _links(path: Path) -> Iterator[Path]:
    """Yields the path; if it is a symbolic link, then its target, and so on to the file itself."""
    yield path
    for _ in range(MAX_LINKS):
        if not path.is_symlink():
            return
        path = path.parent / os.readlink(path)
        yield path


def _read_text(path: Path, sidecar: Path) -> str:
    try:
        size = sidecar.stat().st_size
        content = sidecar.read_bytes() if size <= MAX_MANIFEST_BYTES else b""
    except OSError as error:
        raise PolicyFileError(
            path,
            f"the manifest beside it, {sidecar}, cannot be read: {error.strerror}",
            "a readable JSON file",
            "check its permissions",
        ) from None
    if size > MAX_MANIFEST_BYTES:
        raise PolicyFileError(
            path,
            f"the manifest beside it, {sidecar}, has {size} bytes",
            f"a JSON file of at most {MAX_MANIFEST_BYTES} bytes",
            "write a manifest (docs/policy-file.md)",
        )
    text = content.decode("utf-8-sig", errors="replace")  # an editor may have set a byte order mark
    kind = None if text.lstrip().startswith("{") else kind_of(content)
    if kind is not None:
        raise PolicyFileError(
            path,
            f"{sidecar} is not a manifest but {kind.what}",
            "a manifest as in docs/policy-file.md",
            "write the manifest, or get the file that was meant",
        )
    return text
