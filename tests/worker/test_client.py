"""The worker process from the near side: jobs end exactly once, whatever happens to the process."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.worker import client, protocol
from sapiens2_avatar.worker.client import WorkerJob, WorkerProcess
from sapiens2_avatar.worker.job import State
from sapiens2_avatar.worker.requests import Request
from sapiens2_avatar.worker.thread import ThreadJob
from support.held_worker import wait_until

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300.0
"""No wait is longer: the end of a test that hangs, not what is expected of any computer."""


@dataclass(frozen=True)
class Echo(Request):
    job: ClassVar[str] = "echo"
    text: str = ""
    number: float = 0.0


@dataclass(frozen=True)
class Slow(Request):
    job: ClassVar[str] = "slow"
    seconds: float
    polite: bool = True


@dataclass(frozen=True)
class Until(Request):
    job: ClassVar[str] = "until"
    file: Path
    end: str


@dataclass(frozen=True)
class Fail(Request):
    job: ClassVar[str] = "fail"
    kind: str


@dataclass(frozen=True)
class Die(Request):
    job: ClassVar[str] = "die"
    number: int


@dataclass(frozen=True)
class Garbage(Request):
    job: ClassVar[str] = "garbage"


REQUESTS = "from dataclasses import dataclass\nfrom pathlib import Path\nfrom typing import ClassVar\n" + "".join(
    inspect.getsource(kind) for kind in (Echo, Slow, Until, Fail, Die, Garbage)
)
"""The same classes for the other side, which is a script."""
SCRIPT = f"""
import sys, time, os
sys.path.insert(0, {str(ROOT)!r})
import load_package
from sapiens2_avatar.worker import server
from sapiens2_avatar.worker.requests import Request
from sapiens2_avatar.core.common.errors import SapiensError
{REQUESTS}
def echo(request, progress):
    print("a stray print")
    os.write(1, b"a stray write\\n")
    return {{"text": request.text, "number": request.number}}

def slow(request, progress):
    for i in range(int(request.seconds * 50)):
        time.sleep(0.02)
        if request.polite:
            progress("sleeping", i / (request.seconds * 50))
    return {{}}

def until(request, progress):
    while not os.path.exists(request.file):
        time.sleep(0.005)
    if request.end == "error":
        raise SapiensError("It is known.", "Do this.")
    if request.end == "report":
        progress("late", 0.5)
    return {{}}

def fail(request, progress):
    if request.kind == "known":
        raise SapiensError("It is known.", "Do this.", "model")
    if request.kind == "primitive":
        raise RuntimeError("could not create a primitive")
    raise {{"memory": MemoryError, "bug": ValueError, "import": ModuleNotFoundError}}[request.kind]("no")

def die(request, progress):
    progress("dying", 0.5)
    os.kill(os.getpid(), request.number)
    time.sleep(600)

def garbage(request, progress):
    import gc
    channel = next(o for o in gc.get_objects() if isinstance(o, server.Channel))
    channel._output.write(b"this is no message\\n")
    time.sleep(600)

server.serve({{Echo: echo, Slow: slow, Until: until, Fail: fail, Die: die, Garbage: garbage}}, float(sys.argv[1]))
"""


@pytest.fixture
def worker(tmp_path):
    script = tmp_path / "worker ü.py"
    script.write_text(SCRIPT, "utf-8")
    made = WorkerProcess([sys.executable, "-I", "-u", str(script), "60"], tmp_path / "log" / "worker.log")
    yield made
    made.shut_down()
    assert made.pid is None and not made.busy


def test_a_job_comes_back_and_stray_prints_go_to_the_log(worker):
    job = worker.wait(worker.submit(WorkerJob("Echo", Echo("ü\n", 0.1))), SECONDS)
    assert job.state is State.DONE and job.result == {"text": "ü\n", "number": 0.1}
    assert worker.log.read_text().splitlines() == ["a stray print", "a stray write"]


def test_jobs_wait_their_turn_in_order_and_the_process_stays_warm(worker):
    ended = []
    jobs = [worker.submit(WorkerJob(str(i), Echo(), on_end=lambda job: ended.append(job.title))) for i in range(4)]
    worker.pump()
    assert worker.current is jobs[0] and len(worker.waiting) == 3
    worker.wait(jobs[-1], SECONDS)
    pid = worker.pid
    worker.wait(worker.submit(WorkerJob("again", Echo())), SECONDS)
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
    job = worker.wait(worker.submit(WorkerJob("Fail", Fail(kind))), SECONDS)
    assert job.state is State.FAILED and sentence in str(job.error) and job.error.hint
    assert ("Traceback" in job.detail) == (kind != "known")
    assert job.error.remedy == {"known": "model", "import": "runtime"}.get(kind, "")
    pid = worker.pid
    assert worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS).state is State.DONE and worker.pid == pid


@pytest.mark.parametrize("polite", [True, False])
def test_cancel_asks_then_kills(worker, monkeypatch, polite):
    if polite:  # it will answer, however busy this computer is
        monkeypatch.setattr(client, "GRACE_SECONDS", SECONDS)
    job = worker.submit(WorkerJob("Slow", Slow(2 * SECONDS, polite)))
    wait_until(lambda: worker.pump() or job.accepted, SECONDS)
    pid = worker.pid
    job.cancel()
    worker.wait(job, SECONDS)
    assert job.state is State.CANCELLED
    assert (worker.pid == pid) == polite
    assert worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS).state is State.DONE


@pytest.mark.parametrize("end", ["done", "error", "report"])
def test_a_job_that_ends_while_it_is_asked_to_stop_is_cancelled(worker, tmp_path, monkeypatch, end):
    """Its end and the click cross on their way: what was cancelled changes no scene and says no error."""
    monkeypatch.setattr(client, "GRACE_SECONDS", SECONDS)
    ended, go = [], tmp_path / "go"
    job = worker.submit(WorkerJob("Until", Until(go, end), on_end=ended.append))
    wait_until(lambda: worker.pump() or job.accepted, SECONDS)
    pid = worker.pid
    job.cancel()
    go.touch()
    worker.wait(job, SECONDS)
    assert job.state is State.CANCELLED and job.error is None and job.result == {} and ended == [job]
    assert worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS).state is State.DONE and worker.pid == pid


def test_cancel_of_a_waiting_job_leaves_the_running_one(worker):
    first, second = (worker.submit(WorkerJob("Slow", Slow(0.4))) for _ in range(2))
    worker.pump()
    second.cancel()
    assert second.state is State.CANCELLED
    assert worker.wait(first, SECONDS).state is State.DONE


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_sixty_deaths(worker):
    """Killed by itself or from outside, at the start or in the middle: one end each, and the next job works."""
    for round_ in range(60):
        number = (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)[round_ % 3]
        outside = round_ % 2
        ended = []
        request = Slow(2 * SECONDS) if outside else Die(int(number))
        job = worker.submit(WorkerJob("Die", request, on_end=ended.append))
        worker.pump()
        if outside:
            wait_until(lambda job=job, early=round_ % 4 == 3: early or worker.pump() or job.accepted, SECONDS)
            os.kill(worker.pid, number)
        worker.wait(job, SECONDS)
        assert job.state is State.FAILED and job.error.hint and ended == [job]
        if round_ % 20 == 19:
            assert worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS).state is State.DONE


def test_a_line_that_is_no_message_ends_the_process(worker):
    job = worker.wait(worker.submit(WorkerJob("Garbage", Garbage())), SECONDS)
    assert job.state is State.FAILED and job.error.message == "The worker said something that is no message."


def test_the_worker_leaves_when_idle_and_comes_back(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(SCRIPT, "utf-8")
    worker = WorkerProcess([sys.executable, "-I", "-u", str(script), "0.3"], tmp_path / "worker.log")
    worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS)
    wait_until(lambda: worker.pid is None, SECONDS)
    assert worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS).state is State.DONE
    worker.shut_down()


def test_the_worker_dies_with_its_parent(tmp_path):
    import subprocess

    script = tmp_path / "worker.py"
    script.write_text(SCRIPT, "utf-8")
    parent = (
        "import sys, time; from pathlib import Path; from sapiens2_avatar.worker.client import WorkerJob, WorkerProcess\n"
        "from sapiens2_avatar.worker.requests import Request\n"
        f"{REQUESTS}\n"
        f"w = WorkerProcess([sys.executable, '-I', '-u', {str(script)!r}, '60'], Path({str(tmp_path / 'log')!r}))\n"
        "j = w.submit(WorkerJob('Slow', Slow(600.0, False)))\n"
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
    worker = WorkerProcess([str(tmp_path / "no python")], tmp_path / "log")
    job = worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS)
    assert job.state is State.FAILED and "could not be started" in job.error.message and job.error.hint


def test_a_worker_that_does_not_start_says_why_and_what_mends_it(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("import no_such_library\n")
    worker = WorkerProcess([sys.executable, "-I", "-u", str(script)], tmp_path / "log")
    job = worker.wait(worker.submit(WorkerJob("Echo", Echo())), SECONDS)
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


def test_work_in_a_thread_ends_once_and_can_be_stopped():
    ends = []
    job = ThreadJob("T", run=lambda progress, stopped: [time.sleep(0.01) for _ in iter(stopped, True)], on_end=ends.append)
    job.start()
    job.cancel()
    wait_until(lambda: job.pump() or job.ended, SECONDS)
    job.pump()
    assert job.state is State.DONE and ends == [job]


def test_a_request_that_the_worker_does_not_know_is_a_sentence(worker):
    @dataclass(frozen=True)
    class Newer(Echo):
        colour: str = "red"

    job = worker.wait(worker.submit(WorkerJob("Echo", Newer())), SECONDS)
    assert str(job.error) == "Echo has no field colour. Restart Blender after an update."

    @dataclass(frozen=True)
    class Unheard(Request):
        job: ClassVar[str] = "unheard"

    job = worker.wait(worker.submit(WorkerJob("Unheard", Unheard())), SECONDS)
    assert str(job.error) == "The worker has no job named 'unheard'. Restart Blender after an update."
