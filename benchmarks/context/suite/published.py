"""Published returns of the bodies.

Source: SaMI (Yu et al. 2024, "Skill-aware Mutual Information Optimisation for Generalisation in
Reinforcement Learning"), table 2, from data/MuJoCo.xlsx of github.com/uoe-agents/SaMI. Means over
five training seeds; on contexts of training, moderate and extreme.
"""

from __future__ import annotations

Returns = tuple[float, float, float]
"""Mean return on the contexts of training, of the moderate and of the extreme test."""

PUBLISHED: dict[str, dict[str, Returns]] = {
    "varied_half_cheetah": {
        "tesac": (6298, 3173, 1159),
        "ccm": (6955, 3963, 1325),
        "satesac": (7430, 4058, 1780),
        "saccm": (7154, 3849, 1926),
    },
    "varied_hopper": {
        "tesac": (1492, 1499, 1459),
        "ccm": (1484, 1446, 1452),
        "satesac": (1502, 1453, 1447),
        "saccm": (1462, 1462, 1451),
    },
    "varied_ant": {
        "tesac": (6789, 4705, 4108),
        "ccm": (6901, 5179, 4700),
        "satesac": (7314, 5513, 4940),
        "saccm": (7478, 5717, 5215),
    },
    "crippled_half_cheetah": {
        "tesac": (4042, 1050, 782),
        "ccm": (3764, 1685, 877),
        "satesac": (4385, 2442, 1599),
        "saccm": (4583, 1939, 1048),
    },
    "crippled_ant": {
        "tesac": (2139, 1952, 1048),
        "ccm": (2361, 2047, 1527),
        "satesac": (2638, 2379, 2131),
        "saccm": (2355, 2310, 2007),
    },
    "varied_slim_humanoid": {
        "tesac": (8437, 6989, 3760),
        "ccm": (7696, 5784, 2887),
        "satesac": (10216, 7886, 6123),
        "saccm": (9312, 7430, 6473),
    },
    "varied_walker": {
        "tesac": (7747, 4355, 2581),
        "ccm": (8136, 5476, 2519),
        "satesac": (8675, 5840, 3632),
        "saccm": (8361, 5779, 3481),
    },
    "varied_humanoid_standup": {
        "tesac": (158384, 153944, 74220),
        "ccm": (146480, 154601, 94991),
        "satesac": (178142, 168337, 133335),
        "saccm": (187930, 181033, 141750),
    },
    "crippled_hopper": {
        "tesac": (3575, 3298, 722),
        "ccm": (3455, 3409, 1009),
        "satesac": (3391, 3262, 1839),
        "saccm": (3449, 3390, 2059),
    },
    "crippled_walker": {
        "tesac": (9908, 5929, 3041),
        "ccm": (10317, 6233, 3098),
        "satesac": (10389, 8387, 4280),
        "saccm": (10496, 8235, 4824),
    },
}
"""By world and method, in the order in which the worlds are trained."""
