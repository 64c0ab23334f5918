"""Counters and newest event."""

from __future__ import annotations

from typing import get_args

from skill_proto.messages import ErrorCode, FaultClass
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.event_log import COUNTERS, EventLog


def test_an_event_is_the_newest_one_and_may_be_counted() -> None:
    log = EventLog()
    assert (log.last_event, log.counters["stops"], log.recorded) == ("started", 0, 0)
    log.record_event("stop: obstacle", "stops")
    log.record_event("governor: table")
    log.count("stops")
    log.count("stops", 5)
    assert (log.last_event, dict(log.counters)) == ("governor: table", {"stops": 7})
    assert log.recorded == 2


def test_an_authority_records_in_the_log_that_it_is_given() -> None:
    log = EventLog()
    authority = Authority(events=log)
    authority.stop("test")
    assert (log.last_event, log.counters["stops"]) == ("stop: test", 1)
    authority.stop("test", 4)
    assert (log.counters["stops"], log.recorded) == (5, 2)


def test_each_counter_has_one_name_in_the_list() -> None:
    """A counter that the list lacks would be missing from telemetry."""
    assert len(set(COUNTERS)) == len(COUNTERS)
    assert {f"faults.{kind}" for kind in get_args(FaultClass)} < set(COUNTERS)
    assert {f"rejected.{code}" for code in get_args(ErrorCode)} < set(COUNTERS)


def test_the_counters_of_an_authority_are_in_the_list() -> None:
    authority = Authority()
    authority.stop("first")
    authority.clear(0.0)
    for kind in get_args(FaultClass):
        authority.fault("broken", kind)
    authority.clear(1.0)
    authority.fault("no pose", "tracker")
    authority.recover()
    authority.advance(1e6)
    assert authority.events.counters["stops"] == 2
    assert authority.events.counters["recoveries"] == 1
    assert set(authority.events.counters) <= set(COUNTERS)
