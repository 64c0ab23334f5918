"""Scores a policy on a task: the work of skill-eval.

- ``options``: the command line, and its checks.
- ``dispatch``: chooses the evaluation of a task.
- ``tabletop``: runs skills and goals on the tabletop, and computes the metrics; no printing.
- ``tabletop_report``: ``tabletop`` for skill-eval: progress bar, table of metrics, picture.
- ``world``: the same for worlds without an arm.
- ``skill_aware``: runs the skill-aware benchmark for skill-eval, and prints its table.
- ``report``: parts that both reports share.
- ``fan_plot``: the picture of pushes by skill.
- ``path_plot``: the picture of paths in a world.
- ``figure_file``: the file of a picture.
- ``film``: the film of some episodes.
"""
