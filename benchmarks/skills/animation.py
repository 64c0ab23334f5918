"""The animation of the README: skills push the cube, then the table becomes slippery.

    python -m benchmarks.skills.animation docs/images/adapting.gif

First ``csf_panda`` runs one skill after the other. Then ``goal_panda`` pushes the cube from goal to
goal; meanwhile the friction of the table falls below every value of training. The chart shows the
true friction, which the policy never receives, and the estimate of its context encoder. The
simulation is that of ``skill-eval``; a second of the film is a second of the simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Seed
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Tabletop, TabletopConfig
from skill_runtime.evaluation.film.camera import TabletopCamera
from skill_runtime.evaluation.film.film import Film, frame_time
from skill_runtime.policy import OnnxPolicy

STEPS_PER_FRAME, FRAME_MS = frame_time(1.0 / CONTROL_PERIOD_S)
SKILLS = ((1.0, 0.0), (0.0, 1.0))
SKILL_STEPS = 60
GOALS = ((0.06, -0.08), (-0.06, 0.08), (0.06, 0.06), (-0.08, -0.06), (0.06, 0.0))
DRY_GOALS = 2
"""Number of the goals before the table becomes slippery."""
GOAL_STEPS = 76
"""With the skills the film has 20 s."""

MASS_KG, DRY, SLIPPERY = 0.8, 0.5, 0.08
"""The cube's mass [kg] and the friction before and after the change."""

SCENE = TabletopConfig(mass=(MASS_KG, MASS_KG), friction=(DRY, DRY))

FRAME, INK, TRUE, ESTIMATE = (18, 22, 30, 190), (235, 238, 243), (240, 150, 60), (110, 190, 255)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The film and its models."""

    film: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """File of the film: .gif, .png (APNG) or .webp."""
    skills: Path = Path("models/csf_panda.onnx")
    """Policy file with skills of two numbers."""
    goals: Path = Path("models/goal_panda.onnx")
    """Policy file that takes goals and estimates friction."""
    seed: Seed = 4
    """Seed of the starts."""


def film_skills(film: Film, camera: TabletopCamera, policy: OnnxPolicy, seed: int) -> None:
    """Films each skill from its own start."""
    scene = Tabletop(SCENE, 1, seed=seed)
    names = policy.manifest.observation_names
    for skill in SKILLS:
        scene.reset()
        policy.reset(1)

        def act(skill: tuple[float, float] = skill) -> Array:
            return policy.act(scene.observe(names), skill=np.array([skill]))

        def draw(skill: tuple[float, float] = skill) -> None:
            text = f"{policy.manifest.name}, skill {skill[0]:g} {skill[1]:g}"
            picture = film.add(camera.frame(scene), "Skills push the cube", text)
            draw_skill(picture, skill)

        run(scene, act, draw, SKILL_STEPS)


def film_goals(film: Film, camera: TabletopCamera, policy: OnnxPolicy, seed: int) -> None:
    """Films the goals; after some the table becomes slippery."""
    scene = Tabletop(SCENE, 1, seed=seed)
    names = policy.manifest.observation_names
    context = policy.manifest.context
    assert context is not None
    column = [estimate.name for estimate in context.estimates].index("cube_table_friction")
    policy.reset(1)
    history: list[tuple[float, float]] = []
    for number, goal in enumerate(GOALS):
        if number == DRY_GOALS:
            scene.set_context(friction=SLIPPERY)

        def act(goal: tuple[float, float] = goal) -> Array:
            output = policy.step(scene.observe(names), goal=np.array([goal]))
            assert output.estimate is not None
            history.append((float(scene.friction[0]), float(output.estimate[0, column])))
            return output.action.astype(np.float64)

        def draw(goal: tuple[float, float] = goal) -> None:
            slippery = scene.friction[0] < DRY
            title = "The table becomes slippery" if slippery else "The policy infers friction"
            text = f"{policy.manifest.name}, goal {goal[0]:g} {goal[1]:g}"
            picture = film.add(camera.frame(scene, goal=np.array(goal)), title, text)
            draw_chart(picture, history)

        run(scene, act, draw, GOAL_STEPS)


def run(scene: Tabletop, act: Callable[[], Array], draw: Callable[[], None], steps: int) -> None:
    """Runs control steps, and draws the frames."""
    for step in range(steps):
        scene.step(act())
        if step % STEPS_PER_FRAME == 0:
            draw()


def draw_skill(picture: Image.Image, skill: tuple[float, float]) -> None:
    """Draws the skill as an arrow in a disc. Its first number is away from the arm: down here."""
    draw, radius = ImageDraw.Draw(picture, "RGBA"), 38.0
    centre = np.array([picture.width - radius - 12, radius + 12])
    draw.ellipse((*(centre - radius), *(centre + radius)), fill=FRAME, outline=INK)
    x, y = skill
    # The camera looks along azimuth 132 deg, so that +x points to the lower right.
    angle = np.deg2rad(-42.0)
    across = np.array([np.cos(angle), -np.sin(angle)])
    up = np.array([np.sin(angle), np.cos(angle)])
    tip = centre + radius * 0.85 * (x * across - y * up) / np.hypot(x, y)
    draw.line((*centre, *tip), fill=ESTIMATE, width=4)
    draw.ellipse((*(tip - 4), *(tip + 4)), fill=ESTIMATE)


def draw_chart(picture: Image.Image, history: list[tuple[float, float]]) -> None:
    """Draws the friction and its estimate over the whole time of the goals."""
    draw = ImageDraw.Draw(picture, "RGBA")
    left, top, width, height = picture.width - 202, 12, 190, 104
    draw.rectangle((left, top, left + width, top + height), fill=FRAME)
    font = ImageFont.load_default(12)
    draw.text((left + 8, top + 5), "friction: true", fill=TRUE, font=font)
    draw.text((left + 96, top + 5), "estimated", fill=ESTIMATE, font=font)
    count = len(GOALS) * GOAL_STEPS
    for column, colour in enumerate((TRUE, ESTIMATE)):
        points = [
            (
                left + 8 + (width - 16) * step / count,
                top + height - 8 - (height - 34) * min(values[column], 0.7) / 0.7,
            )
            for step, values in enumerate(history)
        ]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2)


def main(config: Config) -> None:
    """Makes the film."""
    skills, goals = open_policy(config.skills), open_policy(config.goals)
    film = Film(FRAME_MS)
    with closing(TabletopCamera()) as camera:
        for part in tqdm((film_skills, film_goals), desc="filming", disable=None, leave=False):
            part(film, camera, skills if part is film_skills else goals, config.seed)
    film.save(config.film)
    print(f"{config.film}: {config.film.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skills.animation", description=__doc__)
