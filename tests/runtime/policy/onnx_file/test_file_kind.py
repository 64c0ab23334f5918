"""The error for a file that is not an ONNX model names the kind of the file, and the fix."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_runtime.policy.onnx_file.file_kind import FileKind, kind_of

ANY_ONNX = b"\x08\x0a\x12\x07pytorch"
"""Beginning of an ONNX file."""


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("policy.onnx"))
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, weights=np.zeros(3))
    return out.getvalue()


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.mark.parametrize(
    ("content", "what", "fix"),
    [
        (LFS, "Git LFS pointer", "git lfs pull"),
        (b"/annex/objects/SHA256E-s12--00.onnx\n", "git-annex pointer", "git annex get"),
        (b"../.git/annex/objects/a/b/c.onnx", "git-annex pointer", "git annex get"),
        (b"outs:\n- md5: 0\n  size: 3\n  path: p.onnx\n", "DVC pointer", "dvc pull"),
        (b"", "an empty file", "download it again"),
        (bytes(1000), "1000 bytes of zeros", "download it again"),
        (b"\n<!DOCTYPE html>\n<html><body>p</body></html>", "web page", "download the file itself"),
        (b"<HTML><head></head></HTML>", "web page", "download the file itself"),
        (zipped("net/data.pkl", "net/data/0"), "PyTorch checkpoint", "torch.onnx.export"),
        (zipped("net/data.pkl", "net/constants.pkl"), "TorchScript", "torch.onnx.export"),
        (zipped("net/models/model.json"), "torch.export", "torch.onnx.export"),
        (zipped("data", "policy.pth"), "Stable-Baselines3", "torch.onnx.export"),
        (zipped("config.json", "model.weights.h5"), "Keras", "format='onnx'"),
        (zipped("readme.txt", "run/policy.onnx"), "'run/policy.onnx'", "unpack it"),
        (zipped("readme.txt"), "without an ONNX file", "export the model to ONNX"),
        (zipped("net/data.pkl")[:60], "cut short", "download it again"),
        (pickle.dumps({"w": 1}, protocol=2), "pickle", "torch.onnx.export"),
        (pickle.dumps({"w": 1}), "pickle", "torch.onnx.export"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5", "tf2onnx"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(40), "TensorFlow Lite", "tf2onnx"),
        (b"ftrt" + bytes(40), "TensorRT engine", "built from"),
        (b"ptrt" + bytes(40), "TensorRT engine", "built from"),
        (b"\x20\x00\x00\x00ORTM" + bytes(40), "ONNX Runtime's own format", "made from"),
        (safetensors(), "safetensors", "torch.onnx.export"),
        (npy(), "NumPy array", "export the model"),
        (npz(), "archive of NumPy arrays", "export the model"),
        (gzip.compress(ANY_ONNX), "gzip", "unpack it"),
        (tarred(), "tar archive", "unpack it"),
        (b'{"schema_version": 1, "name": "walk"}', "a manifest", "give the ONNX file"),
        (b'{"irVersion": "10", "graph": {}}', "written as text", "onnx.save"),
        (b"ir_version: 8\ngraph {\n}\n", "written as text", "onnx.save"),
        (b'<ir_version: 10, opset_import: ["" : 20]>', "written as text", "onnx.save"),
        (b'[{"a": 1}]', "a JSON text", "give the ONNX file"),
        (b"hello", "a text, 'hello'", "give the ONNX file"),
        ("\ufeffGrüße".encode(), "a text, 'Grüße'", "give the ONNX file"),
        (("x" * 4095 + "é" * 10).encode(), "a text", "give the ONNX file"),
    ],
    # An archive has the time in it; names of tests must be the same in all processes.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_has_its_name_and_fix(content: bytes, what: str, fix: str) -> None:
    kind = kind_of(content)
    assert kind is not None
    assert what in kind.what
    assert fix in kind.fix


@pytest.mark.parametrize("content", [ANY_ONNX, b"\xff" * 100, b"hello\x00\x01", bytes([8, 1, 0])])
def test_other_bytes_have_no_kind(content: bytes) -> None:
    assert kind_of(content) is None


@given(st.binary(max_size=600), st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"{"]))
def test_any_bytes_have_a_kind_or_none(content: bytes, start: bytes) -> None:
    kind = kind_of(start + content)
    assert kind is None or isinstance(kind, FileKind)


class Trap:
    """Writes a file if its pickle is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], Sequence[object]]:
        return (Path.touch, (self._path,))


def test_no_code_of_the_file_runs(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    content = pickle.dumps(Trap(trap))
    kind = kind_of(content)
    assert kind is not None
    assert "was not loaded" in kind.what
    assert not trap.exists()


def test_files_that_torch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(3, 2)
    for name, zip_format in (("new.pt", True), ("old.pt", False)):
        path = tmp_path / name
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=zip_format)
        kind = kind_of(path.read_bytes())
        assert kind is not None
        assert "PyTorch checkpoint" in kind.what
    program = torch.export.export(network, (torch.zeros(1, 3),))
    torch.export.save(program, tmp_path / "net.pt2")
    kind = kind_of((tmp_path / "net.pt2").read_bytes())
    assert kind is not None
    assert "torch.export" in kind.what
