"""The process that answers ``act``: observations in, actions out, for robots that run elsewhere.

On the server of an arm it has a copy of the policy of its own, so that a large request does not
delay the control loop, and the gateway passes requests to it unread. Without an arm, clients reach
its socket directly. If the process dies, the recurrent states of all sessions are lost, and an arm
is not affected.

- ``config``: configuration, limits, counts.
- ``process``: the service of an arm's server, behind the gateway.
- ``router``: the service of clients that reach it directly.
- ``service``: takes requests, joins those that fit into one inference, replies.
- ``models``: one policy, its sessions and its next inference.
- ``batch``: requests that share one inference.
- ``headers``: headers that were valid before, and need no parser again.
- ``requests``: reads the arrays of one request.
- ``act_validation``: the arrays of a request against the policy, in full.
- ``sessions``: recurrent states by session, and their eviction.
- ``swap``: replaces a policy by another file while requests are answered.
- ``inference``: runs the rows of many sessions at once.
- ``replies``: the frames of a reply.
"""
