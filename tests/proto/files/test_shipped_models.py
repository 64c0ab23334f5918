"""Models by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_proto.files.shipped_models import (
    DEFAULT_MODEL,
    UnknownModelError,
    find_model,
    shipped_models,
    to_path,
)

MODELS = Path(__file__).parents[3] / "models"


def test_a_checkout_has_the_models_of_its_folder() -> None:
    assert DEFAULT_MODEL in shipped_models()
    assert set(shipped_models().values()) == set(MODELS.glob("*.onnx"))


def test_a_name_is_found_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("goal_panda") == MODELS / "goal_panda.onnx"
    (tmp_path / "goal_panda").mkdir()
    assert find_model("goal_panda") == MODELS / "goal_panda.onnx"


@pytest.mark.parametrize("given", ["nowhere.onnx", "models/csf_panda", "/tmp/csf_panda"])
def test_a_path_stays_a_path(given: str) -> None:
    assert find_model(given) == Path(given)


def test_a_word_with_a_folder_is_a_path_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # The file is missing: a model that has its name must not take its place.
    assert find_model(to_path("./csf_panda")) == tmp_path / "csf_panda"
    assert find_model(to_path("runs/csf_panda")) == Path("runs/csf_panda")
    assert find_model(to_path("csf_panda")) == MODELS / "csf_panda.onnx"


def test_a_file_or_folder_without_a_suffix_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "csf_panda").write_bytes(b"of my own")
    assert find_model("runs") == Path("runs")
    assert find_model("csf_panda") == Path("csf_panda")


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(UnknownModelError, match=r"there is no model 'csf_pnda'; .*csf_panda, goal"):
        find_model("csf_pnda")
