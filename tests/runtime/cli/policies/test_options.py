"""The command line of skill-serve --service-only."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_proto.files.shipped_models import shipped_models
from skill_runtime.cli.policies.options import PolicyServiceOptions, read_models
from skill_runtime.console.flags import UsageError


def test_a_policy_is_named_by_the_flag_or_by_its_file() -> None:
    options = PolicyServiceOptions(model=("models/csf_panda.onnx", "pick=a=b.onnx"))
    assert read_models(options) == (
        ("csf_panda", Path("models/csf_panda.onnx")),
        ("pick", Path("a=b.onnx")),
    )


def test_a_policy_that_comes_with_skill_serve_has_a_name() -> None:
    options = PolicyServiceOptions(model=("csf_panda", "pick=goal_panda"))
    assert dict(read_models(options)) == {
        "csf_panda": shipped_models()["csf_panda"],
        "pick": shipped_models()["goal_panda"],
    }


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ((), "needs a policy"),
        (("pick=gaol_panda",), "no model 'gaol_panda'; models by name: csf_ant"),
        (("a/p.onnx", "b/p.onnx"), "'p' is the name of a/p.onnx already"),
        (("a b=p.onnx",), "is not a name"),
        (("x" * 65 + "=p.onnx",), "is not a name"),
        (("=p.onnx",), "is not a name"),
    ],
)
def test_names_that_cannot_be_served_are_refused(models: tuple[str, ...], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read_models(PolicyServiceOptions(model=models))


def test_host_and_port_make_the_address() -> None:
    assert PolicyServiceOptions(port=7000).endpoint == "tcp://127.0.0.1:7000"
    assert PolicyServiceOptions(host="::1", port=7000).endpoint == "tcp://[::1]:7000"
    assert PolicyServiceOptions(address="ipc:///run/p").endpoint == "ipc:///run/p"
