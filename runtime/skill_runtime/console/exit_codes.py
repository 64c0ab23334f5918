"""Exit codes, the same for all programs."""

from __future__ import annotations

import signal

OK = 0
"""The program did as asked."""

FAILED = 1
"""The program started, but failed."""

USAGE = 2
"""The command line asks for something impossible."""

INTERRUPTED = 128 + signal.SIGINT
"""Ctrl-C ended the program before it was done."""
