"""The web page of a served arm: a process of its own that watches telemetry and holds a lease.

- ``access``: the token, the cookie and the Origin of a browser.
- ``pulse``: whether the connection to a browser is alive.
- ``watch``: the newest state, its history and events.
- ``steering``: the wish of one browser tab, repeated under the lease.
- ``requests``: stops, and the other requests that need no lease.
- ``reasons``: the state in words, and why nothing moves.
- ``scene``: the arm, the goal and the disc of skills in three dimensions.
- ``panel``: buttons, texts, sliders and charts.
- ``inputs``: the sliders of skills and goals that have no place in the scene.
- ``server``: viser's server behind the token.
- ``page``: all of them together.
"""
