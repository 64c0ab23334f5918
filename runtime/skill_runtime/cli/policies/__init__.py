"""``skill-serve --service-only``: policies for robots that other programs control, without an arm.

- ``options``: the command line.
- ``serve``: start, banner, status line and end.
- ``subcommands``: ``skill-control models`` and ``skill-control swap``.
"""
