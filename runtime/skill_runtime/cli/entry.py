"""Entry points of the programs.

Ctrl-C ends a program at once and without a traceback while its modules are imported. Each program
installs its own handling of Ctrl-C later.
"""

from __future__ import annotations

import sys

from skill_runtime.console.interrupts import ignore_terminal_stop
from skill_runtime.console.program import run_program


def serve() -> None:
    """Runs ``skill-serve``."""
    ignore_terminal_stop()
    run_program("skill-serve", _serve)


def control() -> None:
    """Runs ``skill-control``."""
    run_program("skill-control", _control, subcommands=True)


def evaluate() -> None:
    """Runs ``skill-eval``."""
    run_program("skill-eval", _evaluate)


def doctor() -> None:
    """Runs ``skill-doctor``."""
    run_program("skill-doctor", _doctor)


def control_box() -> None:
    """Runs ``skill-control-box``."""
    ignore_terminal_stop()
    run_program("skill-control-box", _control_box)


def keys() -> None:
    """Runs ``skill-keys``."""
    run_program("skill-keys", _keys, subcommands=True)


def record() -> None:
    """Runs ``skill-record``."""
    ignore_terminal_stop()
    run_program("skill-record", _record)


def replay() -> None:
    """Runs ``skill-replay``."""
    run_program("skill-replay", _replay)


def metrics() -> None:
    """Runs ``skill-metrics``."""
    ignore_terminal_stop()
    run_program("skill-metrics", _metrics)


def web() -> None:
    """Runs ``skill-web``."""
    ignore_terminal_stop()
    run_program("skill-web", _web)


def ros2() -> None:
    """Runs ``skill-ros2``."""
    ignore_terminal_stop()
    run_program("skill-ros2", _ros2)


def manifest() -> None:
    """Runs ``skill-manifest``."""
    run_program("skill-manifest", _manifest, subcommands=True)


def _serve() -> None:
    if "--service-only" in sys.argv[1:]:  # flags of its own, and no arm
        from skill_runtime.cli.policies.serve import main
    else:
        from skill_runtime.cli.serve import main

    main()


def _control() -> None:
    from skill_runtime.cli.control import main

    main()


def _evaluate() -> None:
    from skill_runtime.cli.evaluate import main

    main()


def _doctor() -> None:
    from skill_runtime.cli.doctor import main

    main()


def _control_box() -> None:
    from skill_runtime.cli.control_box import main

    main()


def _keys() -> None:
    from skill_runtime.cli.keys.main import main

    main()


def _record() -> None:
    from skill_runtime.cli.subscribers.record import main

    main()


def _replay() -> None:
    from skill_runtime.cli.subscribers.replay import main

    main()


def _metrics() -> None:
    from skill_runtime.cli.subscribers.metrics import main

    main()


def _web() -> None:
    from skill_runtime.cli.subscribers.web import main

    main()


def _ros2() -> None:
    from skill_runtime.cli.subscribers.ros2 import main

    main()


def _manifest() -> None:
    from skill_runtime.cli.manifest.main import main

    main()
