"""``--outside`` and policies that do not know their distance from training."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_runtime.policy.when_outside import (
    WhenOutside,
    check_knows_distance,
    knows_distance,
    outside_remark,
)

Make = Callable[..., PolicyManifest]

CALIBRATED = {"size": 2, "center": [0.0, 0.0], "whitening": [[1.0, 0.0], [0.0, 1.0]]}


def test_a_calibrated_policy_may_hold(make_manifest: Make) -> None:
    manifest = make_manifest(recurrent=True, context=CALIBRATED)
    assert knows_distance(manifest)
    for choice in ("hold", "warn", "go-on", None):
        check_knows_distance(manifest, choice)


def test_a_policy_without_an_encoder_is_refused_to_hold(make_manifest: Make) -> None:
    manifest = make_manifest()
    with pytest.raises(
        UnsupportedPolicyError,
        match="--outside hold: push_by_hand has no encoder, so its distance from training is "
        "unknown; omit the flag, or serve a policy with an encoder",
    ):
        check_knows_distance(manifest, "hold")
    for choice in ("warn", "go-on", None):
        check_knows_distance(manifest, choice)


def test_an_encoder_without_calibration_is_refused_too(make_manifest: Make) -> None:
    manifest = make_manifest(recurrent=True)
    assert manifest.context is not None
    with pytest.raises(UnsupportedPolicyError, match="has an encoder without calibration"):
        check_knows_distance(manifest, "hold")


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("hold", "the arm holds if the policy leaves its training; 'clear' lets it go on"),
        ("warn", "a policy outside of its training is reported (--outside warn)"),
        (None, "a policy outside of its training is reported (--outside warn)"),
        ("go-on", "a policy outside of its training goes on (--outside go-on)"),
    ],
)
def test_the_start_says_what_will_happen(
    make_manifest: Make, choice: WhenOutside | None, words: str
) -> None:
    manifest = make_manifest(recurrent=True, context=CALIBRATED)
    assert outside_remark(manifest, choice) == words


def test_without_a_distance_only_a_wish_is_answered(make_manifest: Make) -> None:
    manifest = make_manifest()
    assert outside_remark(manifest, None) == ""
    assert outside_remark(manifest, "go-on") == ""
    assert outside_remark(manifest, "warn").startswith("--outside warn has no effect: push_by_hand")
