"""Entry points of the programs: Ctrl-C ends them from their first moment on without a traceback.

While a program's modules are imported nothing is there yet that could be ended in order, so an
interrupt just ends it. Each program takes over once it can do better.
"""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

LAST_WORDS_S = 0.15
"""Time for a process that prints to us [s]."""

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a program that was interrupted before it had begun."""


def serve() -> None:
    """Runs ``skill-serve``."""
    end_at_interrupt()
    from skill_runtime.serve import main

    main()


def control() -> None:
    """Runs ``skill-control``."""
    end_at_interrupt()
    from skill_runtime.control import main

    main()


def evaluate() -> None:
    """Runs ``skill-eval``."""
    end_at_interrupt()
    from skill_runtime.evaluate import main

    main()


def doctor() -> None:
    """Runs ``skill-doctor``."""
    end_at_interrupt()
    from skill_runtime.doctor import main

    main()


def end_at_interrupt() -> None:
    """From here on an interrupt ends the program at once, with :data:`INTERRUPTED`.

    An interrupt that whoever started the program has it ignore (``nohup``, a shell's ``&``) stays
    ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_at_interrupt() -> None:
    """From here on an interrupt raises KeyboardInterrupt, as Python has it."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    # Not the signal's default action: that one passes over the first process of a container.
    del number, frame
    # mujoco imports glfw, which has another process print its version: without us, into nothing.
    time.sleep(LAST_WORDS_S)
    os._exit(INTERRUPTED)
