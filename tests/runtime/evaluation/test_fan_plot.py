"""The colours of the picture of pushes."""

from __future__ import annotations

import numpy as np
import pytest

from skill_runtime.evaluation.fan_plot import skill_colours


def test_colours_are_of_equal_weight_and_inside_the_gamut() -> None:
    angle = np.linspace(0.0, 2 * np.pi, 49)
    colours = skill_colours(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert colours.min() >= 0.0
    assert colours.max() <= 1.0
    assert colours[0] == pytest.approx(colours[-1])
    # Relative luminance (sRGB); that of a full hue circle at full saturation spans .07 to .93.
    luminance = colours**2.2 @ np.array([0.2126, 0.7152, 0.0722])
    assert np.ptp(luminance) < 0.15
