"""Who may command the arm.

- ``authority``: mode, lease and active command of one arm, which change only together.
- ``lease``: one client at a time holds the lease and renews it; its commands must be in order and
  fresh.
- ``modes``: the state machine, as a table of modes and events.
- ``command``: the active command, and the header that every leased command carries.
- ``event_log``: counters of events, and the newest event in words.
- ``refusal``: the exception for a command that is refused.
"""
