"""Counters and newest event."""

from __future__ import annotations

from skill_runtime.authority.authority import Authority
from skill_runtime.authority.event_log import EventLog


def test_an_event_is_the_newest_one_and_may_be_counted() -> None:
    log = EventLog()
    assert (log.last_event, log.counters["stops"]) == ("started", 0)
    log.record_event("stop: obstacle", "stops")
    log.record_event("governor: table")
    log.count("stops")
    assert (log.last_event, dict(log.counters)) == ("governor: table", {"stops": 2})


def test_an_authority_records_in_the_log_that_it_is_given() -> None:
    log = EventLog()
    authority = Authority(events=log)
    authority.stop("test")
    assert (log.last_event, log.counters["stops"]) == ("stop: test", 1)
