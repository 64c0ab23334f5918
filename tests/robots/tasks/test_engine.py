"""The optional physics engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from skill_robots.tasks.engine import EngineMissingError, bullet_import
from skill_robots.tasks.tabletop.engines.make import make_physics


def test_a_missing_package_is_named() -> None:
    error = r"needs no_such_package.*skill-serve\[bullet\]"
    with pytest.raises(EngineMissingError, match=error), bullet_import():
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401  it does not exist


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), bullet_import():
        raise ZeroDivisionError


def test_without_the_extra_the_tabletop_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skill_robots.tasks.tabletop.engines.bullet_physics", None)
    with pytest.raises(EngineMissingError, match="or take the mujoco engine"):
        make_physics("bullet", 1, 0.005, (0.0, 0.0, 0.0))


def test_the_console_stays_free_of_pybullet_s_greeting() -> None:
    pytest.importorskip("pybullet", reason="pybullet (extra `bullet`) is not installed")
    code = (
        "from skill_robots.tasks.tabletop.engines.make import make_physics\n"
        "make_physics('bullet', 1, .005, (-.6, 0, 0)).close()\n"
        "import sys; sys.stderr.write('still open')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "still open")
