"""Entry points of the programs: Ctrl-C ends them from their first moment on without a traceback.

While a program's modules are imported nothing is there yet that could be ended in order, so an
interrupt just ends it. Each program takes over once it can do better.
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
