"""Exit codes, the same for all programs.

A signal that ends a program before it was done gives 128 plus its number.
"""

from __future__ import annotations

import signal

OK = 0
"""The program did as asked. A server that a signal ends has done so."""

FAILED = 1
"""The program started, but failed; or its result cannot be written."""

USAGE = 2
"""The command line asks for something impossible."""

INTERRUPTED = 128 + signal.SIGINT
"""Ctrl-C ended the program before it was done."""
