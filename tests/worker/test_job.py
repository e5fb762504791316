"""What a job tells of itself: how long it will still take."""

from __future__ import annotations

import pytest

from sapiens2_avatar.worker import job as jobs


@pytest.fixture
def clock(monkeypatch):
    """The time, in seconds: a list of one number."""
    now = [1000.0]
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def running(clock):
    job = jobs.Job("photo")
    job.state, job.started = jobs.State.RUNNING, clock[0]
    return job


def test_the_time_left_follows_a_steady_pace(clock, running):
    assert running.seconds_left() is None
    for second in range(1, 100):
        clock[0] += 1
        running.fraction = second / 100
        left = running.seconds_left()
        assert left is None if second < 10 else left == pytest.approx(100 - second, abs=1), second


def test_a_stage_that_stands_still_lets_the_clock_run_down_and_never_up(clock, running):
    clock[0] += 10
    running.fraction = 0.5
    said = []
    for _ in range(600):
        said.append(running.seconds_left())
        clock[0] += 1
    known = [left for left in said if left is not None]
    assert known[0] == pytest.approx(10) and known == sorted(known, reverse=True)
    assert said[-1] is None


def test_after_a_pause_the_time_grows_by_half_at_most(clock, running):
    clock[0] += 10
    running.fraction = 0.5
    before = running.seconds_left()
    clock[0] += 5
    running.fraction = 0.51
    assert running.seconds_left() <= 1.5 * before
    clock[0] += 3600  # the computer slept
    running.fraction = 0.52
    assert running.seconds_left() <= 1.5 * before
