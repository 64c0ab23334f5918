"""skill-train without the train extra."""

from __future__ import annotations

import subprocess
import sys


def test_a_serving_install_prints_the_packages_to_install() -> None:
    """Runs a process that cannot find torch, as after a plain install."""
    program = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a)\n"
        "from skill_training.entry import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "needs torch" in done.stderr
    assert "skill-serve[train]" in done.stderr
    assert "Traceback" not in done.stderr
