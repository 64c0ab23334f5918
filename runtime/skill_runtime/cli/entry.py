"""Entry points of the programs.

Ctrl-C ends a program at once and without a traceback while its modules are imported. Each program
installs its own handling of Ctrl-C later.
"""

from __future__ import annotations

from skill_runtime.console.interrupts import end_at_interrupt


def serve() -> None:
    """Runs ``skill-serve``."""
    end_at_interrupt()
    from skill_runtime.cli.serve import main

    main()


def control() -> None:
    """Runs ``skill-control``."""
    end_at_interrupt()
    from skill_runtime.cli.control import main

    main()


def evaluate() -> None:
    """Runs ``skill-eval``."""
    end_at_interrupt()
    from skill_runtime.cli.evaluate import main

    main()


def doctor() -> None:
    """Runs ``skill-doctor``."""
    end_at_interrupt()
    from skill_runtime.cli.doctor import main

    main()
