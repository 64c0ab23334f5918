"""Files for older releases of ONNX Runtime: norms are replaced, and the values stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

from skill_training.export.compatibility import OPSETS, file_format, main, make_compatible

ROOT = Path(__file__).parents[3]
NORM = """<ir_version: 10, opset_import: ["" : 20]>
    g (double[n,3] x) => (double[n,1] y) <int64[1] axes = {-1}>
    { y = ReduceL2 <keepdims = 1> (x, axes) }"""


def test_a_norm_keeps_its_value_without_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "norm.onnx"
    onnx.save(onnx.parser.parse_model(NORM), path)
    main([str(path)])
    model = onnx.load(path)
    assert [node.op_type for node in model.graph.node] == ["Mul", "ReduceSum", "Sqrt"]
    assert model.ir_version == 9
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.array([[3.0, 4.0, 12.0]])})
    assert np.asarray(found).tolist() == [[13.0]]
    assert not make_compatible(model)


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.onnx")), ids=lambda p: p.stem)
def test_the_shipped_files_are_compatible_and_their_cards_say_so(path: Path) -> None:
    model = onnx.load(path)
    assert not make_compatible(model)
    (opset,) = (entry.version for entry in model.opset_import)
    assert opset in OPSETS
    assert file_format(opset) in path.with_suffix(".md").read_text()
