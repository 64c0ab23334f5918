"""Parts of a command-line program.

- ``flags``: checks of flags, and the error for a flag that is out of range.
- ``text``: messages as lines of text.
- ``status_line``: one line of a terminal, rewritten in place.
- ``output_file``: JSON result files.
- ``interrupts``: Ctrl-C while a program starts.
- ``exit_codes``: the exit codes of all programs.
"""
