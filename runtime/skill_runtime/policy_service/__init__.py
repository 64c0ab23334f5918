"""The process that answers ``act``: observations in, actions out, for robots that run elsewhere.

It has a copy of the policy of its own, so that a large request does not delay the control loop. The
gateway passes requests to it unread. If this process dies, the recurrent states of all sessions are
lost, and the served arm is not affected.

- ``config``: configuration and limits.
- ``process``: one run of the process, from opening the policy to its end.
- ``service``: reads requests, joins those that fit into one inference, replies.
- ``batch``: requests that share one inference.
- ``requests``: reads one request.
- ``act_validation``: the arrays of a request against the policy.
- ``sessions``: recurrent states by session, and their eviction.
- ``restorable_policy``: a policy whose failed steps are undone.
- ``replies``: the frames of a reply.
"""
