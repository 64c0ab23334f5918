"""Renders frames of a MuJoCo model in memory, fast and plain.

Reflections are off; shadows, sky and multisampling are drawn on request alone. A processor draws
all of them slowly, and a policy needs none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from skill_robots.worlds.errors import WorldError

Frame = NDArray[np.uint8]

_OFF = (
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_HAZE,
    mujoco.mjtRndFlag.mjRND_FOG,
)

MAX_GEOMS = 1000
"""Largest number of shapes in a frame."""


class Offscreen:
    """An OpenGL context with the shapes of one model.

    The variable ``MUJOCO_GL`` names the OpenGL, as for every program that uses MuJoCo. Without it,
    Linux renders with EGL, which needs no screen.

    Args:
        model: The model. Its settings of quality and size of the frames are changed.
        height: Height of a frame [pixel].
        width: Width of a frame [pixel].
        pretty: Draw shadows, sky and smooth edges, for people.

    Raises:
        WorldError: There is no OpenGL that renders in memory.
    """

    def __init__(
        self, model: mujoco.MjModel, height: int, width: int, *, pretty: bool = False
    ) -> None:
        quality = model.vis.quality
        quality.shadowsize, quality.offsamples = (1024, 4) if pretty else (0, 0)
        model.vis.global_.offheight, model.vis.global_.offwidth = height, width
        self._scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        for flag in _OFF:
            self._scene.flags[flag.value] = 0
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_SKYBOX):
            self._scene.flags[flag.value] = int(pretty)
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0  # marks, not parts of the scene
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._gl: Any = _make_context(height, width)
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._model = model

    def render(
        self,
        data: mujoco.MjData,
        camera: mujoco.MjvCamera,
        out: Frame,
        add: Callable[[mujoco.MjvScene], None] | None = None,
    ) -> None:
        """Writes one frame ``(height, width, 3)`` to ``out``, top row first.

        The places of bodies, shapes and lights in ``data`` must be up to date. ``add`` is called
        with the shapes of the frame, to which it may add.
        """
        self._gl.make_current()
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, camera, everything, self._scene
        )
        if add is not None:
            add(self._scene)
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        mujoco.mjr_readPixels(out, None, self._rectangle, self._context)
        out[:] = np.flipud(out).copy()  # OpenGL begins with the bottom row

    def close(self) -> None:
        """Frees the context. Further calls have no effect."""
        if self._gl is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._gl = None

    def __del__(self) -> None:
        if getattr(self, "_gl", None) is not None and not sys.is_finalizing():
            self.close()


def _make_context(height: int, width: int) -> Any:  # noqa: ANN401  the classes of MuJoCo have no common type
    """Returns an OpenGL context that is current.

    Raises:
        WorldError: There is none.
    """
    chosen = os.environ.get("MUJOCO_GL", "")
    # Mesa's renderer on processors: its threads cost more than they gain on frames this small.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    try:
        if not chosen and sys.platform == "linux":
            from mujoco.egl import GLContext
        else:
            from mujoco.rendering.classic.gl_context import GLContext
        context = GLContext(width, height)
        context.make_current()
    except Exception as error:  # OpenGL fails in as many ways as there are drivers
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WorldError(
            f"frames need an OpenGL that renders without a screen, and "
            f"{f'MUJOCO_GL={chosen}' if chosen else 'EGL'} gives none ({reason}); install EGL "
            "(Debian: apt-get install libegl1), or set MUJOCO_GL to egl, osmesa or glfw"
        ) from error
    return context
