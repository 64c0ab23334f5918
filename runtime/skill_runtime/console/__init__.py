"""Parts of a command-line program.

- ``program``: start and end of every program: version, output, exit code.
- ``flags``: checks of flags, and the error for a flag that is out of range.
- ``text``: messages as lines of text.
- ``streams``: standard output and error that fail in one defined way.
- ``writer``: output in a thread of its own, which never blocks and never fails.
- ``status_line``: one line of a terminal, rewritten in place.
- ``logs``, ``repeats``: the log, printable, with repetitions counted.
- ``output_file``: result files.
- ``interrupts``: signals while a program starts.
- ``exit_codes``: the exit codes of all programs.
"""
