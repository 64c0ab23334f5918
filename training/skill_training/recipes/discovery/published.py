"""Statistics of observations that were published with METRA.

METRA and CSF normalise the state of Ant and HalfCheetah by fixed numbers: mean and standard
deviation of each entry in 10,000 random rollouts of 50 steps (``iod/utils.py`` of METRA's public
code; CSF uses the same file). They are shorter than our rollouts, and their actions change at
every step, so that these bodies move less: x has .6 m here.
"""

from __future__ import annotations

from typing import Literal

from skill_robots.worlds.registry import WorldConfig, world_name
from skill_training.errors import ConfigError

Normalization = Literal["measured", "published"]
"""Origin of the statistics: random actions before the training, or this file."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each observation entry."""

# fmt: off
PUBLISHED: dict[str, Statistics] = {
    "ant": (
        (
            0.00486117, 0.011312, 0.7022248, 0.8454677, -0.00102548, -0.00300276, 0.00311523,
            -0.00139029, 0.8607109, -0.00185301, -0.8556998, 0.00343217, -0.8585605, -0.00109082,
            0.8558013, 0.00278213, 0.00618173, -0.02584622, -0.00599026, -0.00379596, 0.00526138,
            -0.0059213, 0.27686235, 0.00512205, -0.27617684, -0.0033233, -0.2766923, 0.00268359,
            0.27756855,
        ),
        (
            0.62473416, 0.61958003, 0.1717569, 0.28629342, 0.20020866, 0.20572574, 0.34922406,
            0.40098143, 0.3114514, 0.4024826, 0.31057045, 0.40343934, 0.3110796, 0.40245822,
            0.31100526, 0.81786263, 0.8166509, 0.9870919, 1.7525449, 1.7468817, 1.8596431,
            4.502961, 4.4070187, 4.522444, 4.3518476, 4.5105968, 4.3704205, 4.5175962, 4.3704395,
        ),
    ),
    "half_cheetah": (
        (
            -0.07861924, -0.08627162, 0.08968642, 0.00960849, 0.02950368, -0.00948337, 0.01661406,
            -0.05476654, -0.04932635, -0.08061652, -0.05205841, 0.04500197, 0.02638421,
            -0.04570961, 0.03183838, 0.01736591, 0.0091929, -0.0115027,
        ),
        (
            0.4039283, 0.07610687, 0.23817, 0.2515473, 0.2698137, 0.26374814, 0.32229397,
            0.2896734, 0.2774097, 0.73060024, 0.77360505, 1.5871304, 5.5405455, 6.7097645,
            6.8253727, 6.3142195, 6.417641, 5.9759197,
        ),
    ),
}
# fmt: on


def published_statistics(task: WorldConfig) -> Statistics:
    """Returns mean and standard deviation of each observation entry of a world.

    Raises:
        ConfigError: none were published for this world.
    """
    world = world_name(task)
    if world not in PUBLISHED:
        raise ConfigError(
            f"--normalization published: the papers have statistics of {', '.join(PUBLISHED)} "
            f"alone, not of {world}; leave it out"
        )
    return PUBLISHED[world]
