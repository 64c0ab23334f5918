"""The contexts of SaMI's ten MuJoCo worlds.

Ant's sets for training and the first test are the released configuration
(``configs/mujoco_ant_train.sh``). The other sets are lists in comments of
``tools/rewrite_config.py`` and ``tools/rewrite_continue_train.py``, or sentences of the README; the
paper's own table was not found. HalfCheetah's values are also CaDM's (Lee et al., ICML 2020).

Crippled bodies: the README names the joints and says that masses and dampings differ. The code
varies masses alone, and so do these sets. The masses are those of the lists.

Chosen here, because no source has them: Walker's sets for training and the first test are those of
HalfCheetah; HumanoidStandup has all sets of SlimHumanoid, whose first test holds the values of its
films (.6 and 1.5). In training CrippledWalker has a crippled right leg in every second episode.
"""

from __future__ import annotations

from itertools import combinations

from skill_robots.worlds.varied.contexts import ContextSets, flags, squares, values
from skill_robots.worlds.varied.limbs import (
    ANT_LEGS,
    HALF_CHEETAH_JOINTS,
    HOPPER_JOINTS,
    WALKER_JOINTS,
)

SCALES = ("mass_scale", "damping_scale")

_LOW, _HIGH = (0.75, 0.85), (1.0, 1.15, 1.25)
_LIGHT, _HEAVY = (0.4, 0.5), (1.5, 1.6)
_FAR = (0.2, 0.3, 1.7, 1.8)

ANT = ContextSets(
    names=SCALES,
    train=squares(_LOW, _HIGH),
    moderate=squares(_LIGHT, _HEAVY),
    extreme=((values(0.4, 0.45, 0.5, 0.55, 0.6), values(1.0)),),
)

HALF_CHEETAH = ContextSets(
    names=SCALES,
    train=squares(_LOW + _HIGH),
    moderate=squares(_LIGHT, _HEAVY),
    extreme=squares(_FAR),
)

HUMANOID = ContextSets(
    names=SCALES,
    train=squares((0.8, 0.9, 1.0, 1.15, 1.25)),
    moderate=squares((0.6, 0.7), (1.5, 1.6)),
    extreme=squares((0.4, 0.5, 1.7, 1.8)),
)
"""Of SlimHumanoid and HumanoidStandup."""

HOPPER = ContextSets(
    names=SCALES,
    train=squares((0.5, 0.75, 1.0, 1.25, 1.5)),
    moderate=squares((0.25, 0.375), (1.75, 2.0)),
    extreme=squares((0.25, 0.375), (1.75, 2.0)),
)
"""The two tests are the same in the lists."""

WALKER = ContextSets(
    names=SCALES,
    train=HALF_CHEETAH.train,
    moderate=HALF_CHEETAH.moderate,
    extreme=squares((0.25, 1.75)),
)
"""The last test has the values of the README's films."""

CRIPPLED_ANT = ContextSets(
    names=("mass_scale", *(f"crippled_{limb.name}" for limb in ANT_LEGS)),
    train=((values(*_LOW, *_HIGH), flags(4, (0,), (1,), (2,), (3,))),),
    moderate=(
        (values(*_LIGHT), flags(4, (0,), (1,), (2,), (3,))),
        (values(*_HEAVY), flags(4, (0,), (1,), (2,), (3,))),
    ),
    extreme=((values(*_FAR), flags(4, *combinations(range(4), 2))),),
)
"""One leg, and two legs in the last test."""

CRIPPLED_HALF_CHEETAH = ContextSets(
    names=("mass_scale", *(f"crippled_{limb.name}" for limb in HALF_CHEETAH_JOINTS)),
    train=((values(*_LOW, *_HIGH), flags(6, (3,), (4,), (5,))),),
    moderate=(
        (values(*_LIGHT), flags(6, (0,), (1,), (2,))),
        (values(*_HEAVY), flags(6, (0,), (1,), (2,))),
    ),
    extreme=((values(*_FAR), flags(6, *combinations(range(6), 2))),),
)
"""One joint of the front leg, one of the back leg, any two: the films have 0 and 3, 4 and 5."""

CRIPPLED_HOPPER = ContextSets(
    names=("mass_scale", *(f"crippled_{limb.name}" for limb in HOPPER_JOINTS)),
    train=((values(0.5, 0.75, 1.0, 1.25, 1.5), flags(3, ())),),
    moderate=((values(0.25, 0.375, 1.75, 2.0), flags(3, ())),),
    extreme=((values(0.25, 0.375, 1.75, 2.0), flags(3, (0,), (1,), (2,))),),
)
"""No joint but in the last test, which has one."""

CRIPPLED_WALKER = ContextSets(
    names=("mass_scale", *(f"crippled_{limb.name}" for limb in WALKER_JOINTS)),
    train=((values(*_LOW, *_HIGH), flags(6, (), (0, 1, 2))),),
    moderate=((values(*_LIGHT, *_HEAVY), flags(6, (0,), (1,), (2,))),),
    extreme=((values(0.25, 1.75), flags(6, (3, 4, 5), (3,), (4,), (5,))),),
)
"""The right leg; one joint of it; the left leg or one joint of it."""
