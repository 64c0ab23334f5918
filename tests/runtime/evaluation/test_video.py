"""A film that cannot be made is refused before the evaluation, which may take minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skill_robots.worlds.errors import WorldError
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.dispatch import find_evaluation
from skill_runtime.evaluation.options import EvaluationOptions

FILMS = "skill_runtime.evaluation.film.episodes"


@pytest.fixture
def unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that begins to score."""

    def begins(*_: object, **__: object) -> None:
        raise AssertionError("the evaluation has begun")

    monkeypatch.setattr("skill_runtime.evaluation.tabletop_report.evaluate", begins)
    monkeypatch.setattr("skill_runtime.evaluation.world.evaluate.run_skills", begins)


@pytest.fixture
def without_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every camera fail as on a machine without OpenGL."""

    def fails(*_: object, **__: object) -> None:
        raise WorldError("there is no OpenGL")

    monkeypatch.setattr(f"{FILMS}.TabletopCamera", fails)
    monkeypatch.setattr(f"{FILMS}.make_camera", fails)


def refused(**options: Any) -> str:  # noqa: ANN401  those of the command line
    arguments = EvaluationOptions(video=Path("film.gif"), **options)
    with pytest.raises(UsageError) as error:
        find_evaluation(arguments)(arguments)
    return str(error.value)


@pytest.mark.usefixtures("unscored", "without_opengl")
@pytest.mark.parametrize("world", [None, "half_cheetah"])
def test_a_machine_without_opengl(world: str | None) -> None:
    options = {"baseline": "iid"} if world is None else {"baseline": "ou", "world": world}
    assert refused(**options) == "--video: there is no OpenGL"


@pytest.mark.usefixtures("unscored")
def test_a_world_without_a_camera() -> None:
    assert "no camera" in refused(baseline="ou", world="gymnasium:Pendulum-v1")


@pytest.mark.usefixtures("unscored")
def test_nothing_to_film() -> None:
    text = "--video: there is neither a skill nor a goal to film"
    assert refused(baseline="iid", skills=0, goals=0) == text
