"""Films of episodes: the scene and its goal are in the frames, as long as the episodes are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import default_config
from skill_runtime.evaluation.film.camera import TabletopCamera
from skill_runtime.evaluation.film.episodes import chosen, film_tabletop, film_world
from skill_runtime.evaluation.tabletop import EvaluationSettings


@pytest.fixture
def camera() -> TabletopCamera:
    try:
        return TabletopCamera(96, 72)
    except WorldError as error:
        pytest.skip(str(error))


def orange(frame: np.ndarray) -> np.ndarray:
    """Returns the pixels of the cube."""
    red, green, blue = (frame[..., i].astype(int) for i in range(3))
    return (red > 1.7 * green) & (red > 2.5 * blue) & (red > 60)


def test_the_cube_of_the_scene_is_in_the_frame(camera: TabletopCamera) -> None:
    scene = Tabletop(TabletopConfig(start="high"), 2, seed=0)
    scene.physics.reset(
        np.arange(2),
        scene.joint_position.copy(),
        np.array([[0.1, 0.25], [0.1, -0.25]]),
        np.zeros(2),
        np.full(2, 0.02),
        np.zeros(2),
    )
    columns = [np.nonzero(orange(camera.frame(scene, row)))[1].mean() for row in range(2)]
    assert abs(columns[0] - columns[1]) > 15


def test_a_goal_is_marked(camera: TabletopCamera) -> None:
    scene = Tabletop(TabletopConfig(start="high"), 1, seed=0)
    plain, marked = camera.frame(scene), camera.frame(scene, goal=np.array([0.12, 0.12]))
    changed = (plain.astype(int) - marked).any(axis=-1)
    assert 3 < changed.sum() < 200
    green = marked[changed].mean(axis=0)
    assert green[1] > green[0]


@pytest.mark.usefixtures("camera")
def test_a_baseline_is_filmed_on_the_tabletop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_runtime.evaluation.film.film.FRAME_MS", 400)
    settings = EvaluationSettings(skills=1, goals=1)
    policy, path = make_baseline("iid", 3, 0), tmp_path / "film.webp"
    film_tabletop(policy, None, settings, path, size=(96, 72))
    with Image.open(tmp_path / "film.webp") as picture:
        assert 20 <= getattr(picture, "n_frames", 1) <= 25  # of 100 and 150 steps; equal are one


@pytest.mark.usefixtures("camera")
def test_a_long_episode_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skill_runtime.evaluation.film.episodes.MAX_FRAMES", 5)
    settings = EvaluationSettings(skills=1, goals=0)
    film_tabletop(make_baseline("iid", 3, 0), None, settings, tmp_path / "film.png", size=(96, 72))
    with Image.open(tmp_path / "film.png") as picture:
        assert getattr(picture, "n_frames", 1) == 5


@pytest.mark.usefixtures("camera")
def test_a_body_is_filmed_and_a_world_without_a_camera_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_runtime.evaluation.film.film.FRAME_MS", 400)
    still = make_baseline("ou", 6, 0)
    film_world(still, default_config("half_cheetah"), np.zeros((1, 0)), 0, tmp_path / "film.webp")
    assert (tmp_path / "film.webp").stat().st_size > 10_000
    config = default_config("gymnasium:Pendulum-v1")
    with pytest.raises(WorldError, match="no camera"):
        film_world(make_baseline("still", 1, 0), config, np.zeros((1, 0)), 0, tmp_path / "a.gif")


def test_episodes_are_chosen_evenly() -> None:
    assert chosen(np.arange(48), 6).tolist() == [0, 8, 16, 24, 32, 40]
    assert chosen(np.arange(3), 6).tolist() == [0, 1, 2]
