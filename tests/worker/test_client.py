"""The worker process from the near side: jobs end exactly once, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.worker import client, protocol
from sapiens2_avatar.worker.client import Job, State, Task, Worker
from support.held_worker import wait_until

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0
"""No wait is longer: the end of a test that hangs, not what is expected of any computer."""
SCRIPT = f"""
import sys, time, os
sys.path.insert(0, {str(ROOT)!r})
import load_package
from sapiens2_avatar.worker.server import serve
from sapiens2_avatar.core.common.errors import SapiensError

def echo(progress, **values):
    print("a stray print")
    os.write(1, b"a stray write\\n")
    return values

def slow(progress, seconds, polite=True):
    for i in range(int(seconds * 50)):
        time.sleep(0.02)
        if polite:
            progress("sleeping", i / (seconds * 50))
    return {{}}

def until(progress, file, end):
    while not os.path.exists(file):
        time.sleep(0.005)
    if end == "error":
        raise SapiensError("It is known.", "Do this.")
    if end == "report":
        progress("late", 0.5)
    return {{}}

def fail(progress, kind):
    if kind == "known":
        raise SapiensError("It is known.", "Do this.", "model")
    if kind == "primitive":
        raise RuntimeError("could not create a primitive")
    raise {{"memory": MemoryError, "bug": ValueError, "import": ModuleNotFoundError}}[kind]("no")

def die(progress, number):
    progress("dying", 0.5)
    os.kill(os.getpid(), number)
    time.sleep(600)

def garbage(progress):
    from sapiens2_avatar.worker import server
    import gc
    channel = next(o for o in gc.get_objects() if isinstance(o, server.Channel))
    channel._output.write(b"this is no message\\n")
    time.sleep(600)

serve({{"echo": echo, "slow": slow, "until": until, "fail": fail, "die": die, "garbage": garbage}}, float(sys.argv[1]))
"""


@pytest.fixture
def worker(tmp_path):
    script = tmp_path / "worker ü.py"
    script.write_text(textwrap.dedent(SCRIPT), "utf-8")
    made = Worker([sys.executable, "-I", "-u", str(script), "60"], tmp_path / "log" / "worker.log")
    yield made
    made.shut_down()
    assert made.pid is None and not made.busy


def test_a_job_comes_back_and_stray_prints_go_to_the_log(worker):
    job = worker.wait(worker.submit(Job("echo", "Echo", {"text": "ü\n", "number": 0.1})), SECONDS)
    assert job.state is State.DONE and job.result == {"text": "ü\n", "number": 0.1}
    assert worker.log.read_text().splitlines() == ["a stray print", "a stray write"]


def test_jobs_wait_their_turn_in_order_and_the_process_stays_warm(worker):
    ended = []
    jobs = [worker.submit(Job("echo", str(i), {"i": i}, on_end=lambda job: ended.append(job.title))) for i in range(4)]
    worker.pump()
    assert worker.current is jobs[0] and len(worker.waiting) == 3
    worker.wait(jobs[-1], SECONDS)
    pid = worker.pid
    worker.wait(worker.submit(Job("echo", "again", {})), SECONDS)
    assert ended == ["0", "1", "2", "3"] and worker.pid == pid


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("primitive", "not enough memory"),
        ("known", "It is known. Do this."),
        ("memory", "not enough memory"),
        ("bug", "unexpected"),
        ("import", "cannot be imported"),
    ],
)
def test_failures_are_a_sentence_with_a_next_step_and_the_worker_lives(worker, kind, sentence):
    job = worker.wait(worker.submit(Job("fail", "Fail", {"kind": kind})), SECONDS)
    assert job.state is State.FAILED and sentence in str(job.error) and job.error.hint
    assert ("Traceback" in job.detail) == (kind != "known")
    assert job.error.remedy == {"known": "model", "import": "runtime"}.get(kind, "")
    pid = worker.pid
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS).state is State.DONE and worker.pid == pid


@pytest.mark.parametrize("polite", [True, False])
def test_cancel_asks_then_kills(worker, monkeypatch, polite):
    if polite:  # it will answer, however busy this computer is
        monkeypatch.setattr(client, "GRACE_SECONDS", SECONDS)
    job = worker.submit(Job("slow", "Slow", {"seconds": 2 * SECONDS, "polite": polite}))
    wait_until(lambda: worker.pump() or job.accepted, SECONDS)
    pid = worker.pid
    worker.cancel(job)
    worker.wait(job, SECONDS)
    assert job.state is State.CANCELLED
    assert (worker.pid == pid) == polite
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS).state is State.DONE


@pytest.mark.parametrize("end", ["done", "error", "report"])
def test_a_job_that_ends_while_it_is_asked_to_stop_is_cancelled(worker, tmp_path, monkeypatch, end):
    """Its end and the click cross on their way: what was cancelled changes no scene and says no error."""
    monkeypatch.setattr(client, "GRACE_SECONDS", SECONDS)
    ended, go = [], tmp_path / "go"
    job = worker.submit(Job("until", "Until", {"file": str(go), "end": end}, on_end=ended.append))
    wait_until(lambda: worker.pump() or job.accepted, SECONDS)
    pid = worker.pid
    worker.cancel(job)
    go.touch()
    worker.wait(job, SECONDS)
    assert job.state is State.CANCELLED and job.error is None and job.result == {} and ended == [job]
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS).state is State.DONE and worker.pid == pid


def test_cancel_of_a_waiting_job_leaves_the_running_one(worker):
    first, second = (worker.submit(Job("slow", "Slow", {"seconds": 0.4})) for _ in range(2))
    worker.pump()
    worker.cancel(second)
    assert second.state is State.CANCELLED
    assert worker.wait(first, SECONDS).state is State.DONE


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_sixty_deaths(worker):
    """Killed by itself or from outside, at the start or in the middle: one end each, and the next job works."""
    for round_ in range(60):
        number = (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)[round_ % 3]
        outside = round_ % 2
        ended = []
        arguments = {"seconds": 2 * SECONDS} if outside else {"number": int(number)}
        job = worker.submit(Job("slow" if outside else "die", "Die", arguments, on_end=ended.append))
        worker.pump()
        if outside:
            wait_until(lambda job=job, early=round_ % 4 == 3: early or worker.pump() or job.accepted, SECONDS)
            os.kill(worker.pid, number)
        worker.wait(job, SECONDS)
        assert job.state is State.FAILED and job.error.hint and ended == [job]
        if round_ % 20 == 19:
            assert worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS).state is State.DONE


def test_a_line_that_is_no_message_ends_the_process(worker):
    job = worker.wait(worker.submit(Job("garbage", "Garbage", {})), SECONDS)
    assert job.state is State.FAILED


def test_the_worker_leaves_when_idle_and_comes_back(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(SCRIPT), "utf-8")
    worker = Worker([sys.executable, "-I", "-u", str(script), "0.3"], tmp_path / "worker.log")
    worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS)
    wait_until(lambda: worker.pid is None, SECONDS)
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS).state is State.DONE
    worker.shut_down()


def test_the_worker_dies_with_its_parent(tmp_path):
    import subprocess

    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(SCRIPT), "utf-8")
    parent = (
        "import sys, time; from pathlib import Path; from sapiens2_avatar.worker.client import Worker, Job\n"
        f"w = Worker([sys.executable, '-I', '-u', {str(script)!r}, '60'], Path({str(tmp_path / 'log')!r}))\n"
        "j = w.submit(Job('slow', 'Slow', {'seconds': 600, 'polite': False}))\n"
        "while not j.accepted: w.pump()\n"
        "print(w.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    wait_until(lambda: not _lives(pid), SECONDS)


def _lives(pid: int) -> bool:
    """Whether the process is there and not merely waiting for its parent to notice that it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_python_that_does_not_exist_is_a_sentence(tmp_path):
    worker = Worker([str(tmp_path / "no python")], tmp_path / "log")
    job = worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS)
    assert job.state is State.FAILED and "could not be started" in job.error.message and job.error.hint


def test_a_worker_that_does_not_start_says_why_and_what_mends_it(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("import no_such_library\n")
    worker = Worker([sys.executable, "-I", "-u", str(script)], tmp_path / "log")
    job = worker.wait(worker.submit(Job("echo", "Echo", {})), SECONDS)
    assert job.error.message == "The worker does not start: ModuleNotFoundError: No module named 'no_such_library'."
    assert job.error.hint and job.error.remedy == "runtime" and worker.pid is None


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"kind": "none"}', b'{"kind": "done", "id": 1}', b"\xff\xfe"])
def test_lines_that_are_no_messages_are_refused(line):
    with pytest.raises(SapiensError):
        protocol.decode(line)


def test_messages_survive_the_way():
    message = protocol.encode("progress", id=3, stage="ü\n", fraction=0.25)
    assert message.count(b"\n") == 1
    assert protocol.decode(message) == {"kind": "progress", "id": 3, "stage": "ü\n", "fraction": 0.25}
    with pytest.raises(ValueError, match="stage"):
        protocol.encode("progress", id=3, fraction=0.25)


def test_tasks_end_once_and_can_be_stopped():
    ends = []
    task = Task("t", "T", {}, on_end=ends.append, run=lambda progress, stopped: [time.sleep(0.01) for _ in iter(stopped, True)])
    task.start()
    task.cancel()
    wait_until(lambda: task.pump() or task.ended, SECONDS)
    task.pump()
    assert task.state is State.DONE and ends == [task]
