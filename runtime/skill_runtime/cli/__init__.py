"""The programs: ``skill-serve``, ``skill-control``, ``skill-eval`` and ``skill-doctor``.

- ``entry``: entry points of all programs.
- ``serve``: skill-serve.
- ``serve_options``: the command line of skill-serve.
- ``serve_status``: the output of skill-serve.
- ``control``: skill-control.
- ``repeat_command``: the loop of skill-control that repeats one command.
- ``evaluate``: skill-eval.
- ``doctor``: skill-doctor.
"""
