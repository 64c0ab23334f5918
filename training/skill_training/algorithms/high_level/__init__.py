"""The high level of hierarchical control: its actions are skills.

- ``config``: settings.
- ``high_level``: soft actor-critic for both kinds of skills, and its paper.
- ``kinds``: choices on the sphere, and of one of several skills.
"""
