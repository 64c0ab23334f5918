"""Any Gymnasium environment as a world.

- ``config``: the settings.
- ``checked``: an environment whose results are checked, and whose errors name it.
- ``spaces``: observation fields and actions of its spaces.
- ``world``: n environments behind the interface of a world.
"""
