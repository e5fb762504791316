"""What a whole run tells about its progress; the network and the build are stand-ins with a clock of their own."""

from types import SimpleNamespace

import pytest

from sapiens2_avatar.worker import jobs


@pytest.mark.parametrize("seconds", [1.0, 600.0])
def test_the_time_left_is_right_for_a_fast_and_a_slow_network(monkeypatch, seconds):
    clock, seen = SimpleNamespace(now=100.0), []
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def work(length, progress):
        begin = clock.now
        for tenth in range(11):
            clock.now = begin + length * tenth / 10
            progress("working", tenth / 10)

    monkeypatch.setattr(jobs, "predict", lambda _photo, _output, progress, **_: work(seconds, progress))
    monkeypatch.setattr(jobs, "build", lambda _file, _name, _output, later, *_: work(jobs.BUILD_SECONDS, later))
    jobs.run("photo", "predictions", "Anna", "output", lambda _stage, share: seen.append((clock.now - 100.0, share)))
    total = seconds + jobs.BUILD_SECONDS
    assert seen[-1] == (pytest.approx(total), pytest.approx(1.0))
    for passed, share in seen:
        assert share == pytest.approx(passed / total)
