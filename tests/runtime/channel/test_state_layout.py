"""The state of a server as numbers, and back."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.state_layout import INTEGERS, TEXTS, State, StateLayout
from skill_runtime.channel.state_record import FAULTS, MODES, index_of, value_at
from skill_runtime.channel.text import MAX_TEXT_BYTES

LAYOUT = StateLayout(
    dof=2,
    objects=("cube", "ball"),
    skill=2,
    goal=3,
    action=1,
    context=4,
    estimates=("mass",),
    scene=("mass", "friction"),
    headroom=("table",),
    connection=("success_rate", "reflexes"),
    counters=("stops", "expired"),
    latency_buckets=3,
)

SIZES = {
    **{"time": 1, "command_expires": 1},
    **{"joint_position": 2, "joint_velocity": 2, "joint_setpoint": 2},
    **{"end_effector_position": 3, "end_effector_velocity": 3, "gripper_width": 1},
    **{"cube.position": 3, "cube.quaternion": 4, "cube.age": 1},
    **{"ball.position": 3, "ball.quaternion": 4, "ball.age": 1},
    **{"skill": 2, "goal": 3, "goal_distance": 1, "action": 1, "context": 4},
    **{"context_distance": 1, "context_estimate": 1, "scene": 2, "headroom": 1},
    **{"connection": 2, "timing": 4},
}

NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)


def integers(**values: int) -> dict[str, int]:
    return dict.fromkeys(INTEGERS[1:], 0) | values


def packed(layout: StateLayout = LAYOUT, **changes: Any) -> bytes:  # noqa: ANN401  passed on
    given: dict[str, Any] = {
        "integers": integers(),
        "latency_counts": [0] * layout.latency_buckets,
        "counters": {},
        "blocks": {},
        "texts": dict.fromkeys(TEXTS, ""),
    }
    return layout.pack(**given | changes)


def test_the_blocks_have_these_sizes() -> None:
    assert LAYOUT.blocks == SIZES
    expected = 8 * (len(INTEGERS) + 3 + 2 + sum(SIZES.values())) + 2 * len(TEXTS)
    assert len(packed()) == expected


def test_the_smallest_layout_has_no_objects_and_no_policy() -> None:
    layout = StateLayout(dof=7)
    state = layout.unpack(packed(layout, blocks={"time": (1.5,)}))
    assert state.blocks == {"time": (1.5,)}
    assert (state.counters, state.latency_counts) == ({}, ())


@given(
    numbers=st.fixed_dictionaries(dict.fromkeys(INTEGERS[1:], NUMBERS)),
    counts=st.lists(NUMBERS, min_size=3, max_size=3),
    counters=st.dictionaries(st.sampled_from(LAYOUT.counters), NUMBERS),
    blocks=st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(FLOATS, min_size=size, max_size=size) for name, size in SIZES.items()
        },
    ),
    holder=st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
)
def test_a_state_is_the_same_after_its_way_as_a_record(
    numbers: dict[str, int],
    counts: list[int],
    counters: dict[str, int],
    blocks: dict[str, list[float]],
    holder: str,
) -> None:
    texts = {
        "lease": "token",
        "lease_holder": holder,
        "last_event": holder[::-1],
        "last_reflex": 2 * holder,
    }
    state = LAYOUT.unpack(LAYOUT.pack(numbers, counts, counters, blocks, texts))
    assert {**state.integers, "present": 0} == {**numbers, "present": 0}
    assert state.latency_counts == tuple(counts)
    assert state.counters == {"stops": 0, "expired": 0} | counters
    assert state.blocks == {name: tuple(block) for name, block in blocks.items()}
    assert state.texts == texts


def test_an_empty_block_is_present_or_absent_as_given() -> None:
    layout = StateLayout(dof=1)
    assert layout.blocks["skill"] == 0
    assert "skill" not in layout.unpack(packed(layout)).blocks
    assert layout.unpack(packed(layout, blocks={"skill": ()})).blocks == {"skill": ()}


def test_the_number_of_a_block_of_one() -> None:
    state = LAYOUT.unpack(packed(blocks={"goal_distance": (0.25,)}))
    assert state.number("goal_distance") == 0.25
    assert state.number("gripper_width") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x" * 5000, "x" * MAX_TEXT_BYTES),
        ("\u20ac" * 400, "\u20ac" * 341),  # 1,023 bytes; the last character would need three
        ("\ud83d", "?"),
    ],
)
def test_a_long_text_is_cut(given: str, kept: str) -> None:
    state = LAYOUT.unpack(packed(texts=dict.fromkeys(TEXTS, "") | {"last_event": given}))
    assert state.texts["last_event"] == kept


def test_a_record_that_is_too_short_is_refused() -> None:
    record = packed()
    for length in (0, 1, 100, len(record) - 3):
        with pytest.raises(CorruptRecordError):
            LAYOUT.unpack(record[:length])


@pytest.mark.parametrize("change", ["cut", "longer", "another layout"])
def test_a_record_of_another_length_is_refused(change: str) -> None:
    record = packed(texts=dict.fromkeys(TEXTS, "text"))
    record = record[:-1] if change == "cut" else record + b"\0" * 900
    if change == "another layout":
        record = packed(StateLayout(dof=7))
    with pytest.raises(CorruptRecordError):
        LAYOUT.unpack(record)


def test_a_layout_passes_to_another_process() -> None:
    assert LAYOUT.blocks  # computed before the pickle
    again: StateLayout = pickle.loads(pickle.dumps(LAYOUT))
    assert again == LAYOUT
    state: State = again.unpack(packed(blocks={"goal": (1.0, 2.0, 3.0)}))
    assert state.blocks == {"goal": (1.0, 2.0, 3.0)}


def test_indices_stand_for_values_and_minus_one_for_none() -> None:
    assert [index_of(mode, MODES) for mode in MODES] == [0, 1, 2, 3, 4, 5]
    assert index_of(None, MODES) == -1
    assert value_at(-1, FAULTS) is None
    assert [value_at(index_of(fault, FAULTS), FAULTS) for fault in FAULTS] == list(FAULTS)
    with pytest.raises(ValueError, match="not in tuple"):
        index_of("dance", MODES)  # type: ignore[arg-type]
