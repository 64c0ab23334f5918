"""How much do frames cost?

    python -m benchmarks.discovery.pixels

Renders each camera of some worlds, and takes gradient steps of phi from frames and from the
observation. Times are process times of this program, all its threads together, so that they are
comparable on a machine that does other work; they are about twice as long on one that is full.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Some
from benchmarks.lib.report import print_table, write_json
from skill_robots.worlds.camera.camera import make_camera
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import default_config, make_world
from skill_runtime.console.flags import UsageError
from skill_training.nets.pixels.encoder import PixelConfig
from skill_training.nets.pixels.representation import PixelRepresentation
from skill_training.nets.representation import RepresentationConfig, StateRepresentation

CAMERAS = (
    ("half_cheetah", "side"),
    ("ant", "above"),
    ("humanoid", "above"),
    ("tabletop", "overhead"),
    ("tabletop", "cube"),
)
"""World and camera of each row."""

ENCODERS = ((16, 32, 32, 32), (48, 96, 192, 384))
"""Channels: the default, and those of METRA and CSF."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Frames and gradient steps."""

    size: Annotated[int, Field(ge=46, le=1024)] = 64
    """Height and width of a frame [pixel]; fewer than 46 are too small for the convolutions."""
    batch: PositiveInt = 256
    """Transitions of a gradient step."""
    repeats: PositiveInt = 3
    """Measurements of each row, of which the fastest counts."""
    cameras: Some[tuple[str, str]] = field(default=CAMERAS)
    """Worlds and their cameras."""
    json: Path | None = None
    """File of the result, as JSON."""


def fastest(action: Callable[[], object], repeats: int) -> float:
    """Returns the shortest process time of the action [s], after one that does not count."""
    action()
    found = list[float]()
    for _ in range(repeats):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def frames_per_second(world: str, view: str, config: Config) -> float:
    """Returns how many frames of a world are rendered in a second of process time.

    Raises:
        WorldError: the world has no such camera, or there is no OpenGL.
    """
    scenes = make_world(default_config(world), 16)
    camera = make_camera(scenes, view=view, size=config.size)
    try:
        return scenes.n / fastest(camera.frames, config.repeats)
    finally:
        camera.close()
        scenes.close()


def pixel_step_s(channels: tuple[int, ...], stack: int, config: Config) -> float:
    """Returns the time of a gradient step of phi of frames, and of its reward, as in CSF [s]."""
    pixels = PixelConfig(size=config.size, channels=channels, stack=stack)
    phi = PixelRepresentation(RepresentationConfig(inputs=("pixels",), pixels=pixels))
    shape = (config.batch, config.size, config.size, 3 * stack)
    frames = torch.randint(256, (2, *shape), dtype=torch.uint8).movedim(-1, 2)
    return fastest(lambda: _step(phi, frames[0], frames[1]), config.repeats)


def state_step_s(config: Config) -> float:
    """Returns the same time for a linear phi of HalfCheetah's observation [s]."""
    settings = RepresentationConfig(inputs=("*",), form="linear")
    phi = StateRepresentation(settings, indices=range(18), scale=[1.0] * 18)
    observation = torch.randn(2, config.batch, 18)
    return fastest(lambda: _step(phi, observation[0], observation[1]), config.repeats)


def _step(
    phi: StateRepresentation | PixelRepresentation, before: torch.Tensor, after: torch.Tensor
) -> None:
    optimizer = torch.optim.Adam(phi.parameters(), lr=1e-4)
    phi.step(before, after).square().mean().backward()
    optimizer.step()
    with torch.no_grad():
        phi.step(before, after)


def main(config: Config) -> None:
    """Measures, prints two tables and writes the result."""
    torch.set_num_threads(1)
    rendered: dict[str, float] = {}
    for world, view in config.cameras:
        try:
            rendered[f"{world}, {view}"] = frames_per_second(world, view, config)
        except WorldError as error:
            raise UsageError(f"pixels: {error}") from None
    print_table(
        ("camera", "frames per second of process time"),
        [(name, f"{rate:.0f}") for name, rate in rendered.items()],
    )
    print()
    steps = {"linear, observation": state_step_s(config)}
    for channels in ENCODERS:
        for stack in (1, 3):
            name = f"convolutions {' '.join(map(str, channels))}, stack of {stack}"
            steps[name] = pixel_step_s(channels, stack, config)
    print_table(
        ("phi", "process time of its gradient step and reward [s]"),
        [(name, f"{seconds:.3f}") for name, seconds in steps.items()],
    )
    write_json(config.json, {"frames_per_s": rendered, "step_s": steps})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.discovery.pixels", description=__doc__)
