"""A floor whose colour depends on the place.

A camera that follows a body sees from its floor where the body is. METRA's and CSF's worlds of
pixels have such a floor, coloured by x and y; without it, distance covered is invisible.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

FLOOR = "floor"
"""Name of the floor's shape in the MJCF files of Gymnasium."""

TEXELS = 1024
"""Side of the texture."""

_NAME = "place"

_CORNERS = np.array(
    [(0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 1, 0), (1, 0, 0), (1, 0, 1)], dtype=np.float64
)
"""Colours at equal distances along x: a path on edges of the colour cube, on which no colour
repeats and each metre changes the colour equally."""


def floor_colours(size: int, dimensions: int) -> NDArray[np.uint8]:
    """Returns the colours ``(size, size, 3)``.

    The first column is the lowest x, the last row the lowest y.

    Args:
        size: Side of the picture.
        dimensions: 1: the colour depends on x, through all hues. 2: red grows with x, green with y.
    """
    place = (np.arange(size) + 0.5) / size
    colours = np.zeros((size, size, 3))
    if dimensions == 1:
        at = place * (len(_CORNERS) - 1)
        for channel in range(3):
            colours[..., channel] = np.interp(at, np.arange(len(_CORNERS)), _CORNERS[:, channel])
    else:
        colours[..., 0] = place
        colours[..., 1] = place[::-1, None]
        colours[..., 2] = 0.5
    return np.rint(255.0 * colours).astype(np.uint8)


def with_coloured_floor(
    spec: mujoco.MjSpec, *, half_side_m: float, dimensions: int
) -> mujoco.MjModel:
    """Compiles a model with the colours of :func:`floor_colours` instead of its floor's material.

    Args:
        spec: The model, whose floor is a plane named ``floor``; changed in place.
        half_side_m: Half of the side of the coloured square around the origin [m]; it is not
            drawn beyond.
        dimensions: As in :func:`floor_colours`.
    """
    spec.add_texture(
        name=_NAME,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        width=TEXELS,
        height=TEXELS,
        nchannel=3,
    )
    material = spec.add_material(name=_NAME, emission=1.0, specular=0.0, texrepeat=[1.0, 1.0])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB.value] = _NAME
    floor = spec.geom(FLOOR)
    floor.material = _NAME
    floor.rgba = [1.0, 1.0, 1.0, 1.0]
    floor.size = [half_side_m, half_side_m, half_side_m]
    model = spec.compile()
    first = int(model.tex_adr[model.texture(_NAME).id])
    colours = np.flipud(floor_colours(TEXELS, dimensions)).ravel()
    model.tex_data[first : first + len(colours)] = colours
    return model
