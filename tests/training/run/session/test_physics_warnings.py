"""Warnings of MuJoCo in the log of the program."""

from __future__ import annotations

from pathlib import Path

import mujoco
import pytest

from skill_training.run.session.physics_warnings import physics_warnings_logged


def test_warnings_of_the_physics_are_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><joint/><geom size='1'/></body></worldbody></mujoco>"
    )
    with physics_warnings_logged():
        for _ in range(3):
            data = mujoco.MjData(model)
            data.qpos[0] = float("nan")
            mujoco.mj_step(model, data)
    assert mujoco.get_mju_user_warning() is None
    assert [record.message.count("QPOS") for record in caplog.records] == [1, 1]
    assert "3 times" in caplog.records[1].message
    assert not (tmp_path / "MUJOCO_LOG.TXT").exists()
