"""The worker process from the near side: jobs end exactly once, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sapiens2_avatar.core import protocol
from sapiens2_avatar.core.errors import SapiensError
from sapiens2_avatar.core.runtime import _last_line, install, installed_python, outdated, remove, steps
from sapiens2_avatar.core.worker_client import Job, State, Task, Worker

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = f"""
import sys, time, os
sys.path.insert(0, {str(ROOT)!r})
from worker_main import load_package
load_package()
from sapiens2_avatar.infer.worker import serve
from sapiens2_avatar.core.errors import SapiensError

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

def fail(progress, kind):
    if kind == "known":
        raise SapiensError("It is known.", "Do this.")
    raise {{"memory": MemoryError, "bug": ValueError, "import": ModuleNotFoundError}}[kind]("no")

def die(progress, number):
    progress("dying", 0.5)
    os.kill(os.getpid(), number)
    time.sleep(5)

def garbage(progress):
    from sapiens2_avatar.infer import worker
    import gc
    channel = next(o for o in gc.get_objects() if isinstance(o, worker.Channel))
    channel._output.write(b"this is no message\\n")
    time.sleep(5)

serve({{"echo": echo, "slow": slow, "fail": fail, "die": die, "garbage": garbage}}, float(sys.argv[1]))
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
    job = worker.wait(worker.submit(Job("echo", "Echo", {"text": "ü\n", "number": 0.1})), 20)
    assert job.state is State.DONE and job.result == {"text": "ü\n", "number": 0.1}
    assert worker.log.read_text().splitlines() == ["a stray print", "a stray write"]


def test_jobs_wait_their_turn_in_order_and_the_process_stays_warm(worker):
    ended = []
    jobs = [worker.submit(Job("echo", str(i), {"i": i}, on_end=lambda job: ended.append(job.title))) for i in range(4)]
    worker.pump()
    assert worker.current is jobs[0] and len(worker.waiting) == 3
    worker.wait(jobs[-1], 20)
    pid = worker.pid
    worker.wait(worker.submit(Job("echo", "again", {})), 20)
    assert ended == ["0", "1", "2", "3"] and worker.pid == pid


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("known", "It is known. Do this."), ("memory", "not enough memory"), ("bug", "unexpected"), ("import", "cannot import")],
)
def test_failures_are_a_sentence_with_a_next_step_and_the_worker_lives(worker, kind, sentence):
    job = worker.wait(worker.submit(Job("fail", "Fail", {"kind": kind})), 20)
    assert job.state is State.FAILED and sentence in str(job.error) and job.error.hint
    assert ("Traceback" in job.detail) == (kind != "known")
    pid = worker.pid
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), 20).state is State.DONE and worker.pid == pid


@pytest.mark.parametrize("polite", [True, False])
def test_cancel_asks_then_kills(worker, polite):
    job = worker.submit(Job("slow", "Slow", {"seconds": 60, "polite": polite}))
    while not job.accepted:
        worker.pump()
    pid, start = worker.pid, time.monotonic()
    worker.cancel(job)
    worker.wait(job, 10)
    assert job.state is State.CANCELLED and time.monotonic() - start < 5
    assert (worker.pid == pid) == polite
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), 20).state is State.DONE


def test_cancel_of_a_waiting_job_leaves_the_running_one(worker):
    first, second = (worker.submit(Job("slow", "Slow", {"seconds": 0.4})) for _ in range(2))
    worker.pump()
    worker.cancel(second)
    assert second.state is State.CANCELLED
    assert worker.wait(first, 20).state is State.DONE


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_sixty_deaths(worker):
    """Killed by itself or from outside, at the start or in the middle: one end each, in time, and the next job works."""
    for round_ in range(60):
        number = (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)[round_ % 3]
        outside = round_ % 2
        job = worker.submit(Job("slow" if outside else "die", "Die", {"seconds": 30} if outside else {"number": int(number)}))
        worker.pump()
        if outside:
            while round_ % 4 == 1 and not job.accepted:
                worker.pump()
            os.kill(worker.pid, number)
        start = time.monotonic()
        worker.wait(job, 20)
        assert job.state is State.FAILED and job.error.hint and time.monotonic() - start < 5 + 10 * (not job.accepted)
        if round_ % 20 == 19:
            assert worker.wait(worker.submit(Job("echo", "Echo", {})), 20).state is State.DONE


def test_a_line_that_is_no_message_ends_the_process(worker):
    job = worker.wait(worker.submit(Job("garbage", "Garbage", {})), 20)
    assert job.state is State.FAILED


def test_the_worker_leaves_when_idle_and_comes_back(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(SCRIPT), "utf-8")
    worker = Worker([sys.executable, "-I", "-u", str(script), "0.3"], tmp_path / "worker.log")
    worker.wait(worker.submit(Job("echo", "Echo", {})), 20)
    end = time.monotonic() + 10
    while worker.pid is not None and time.monotonic() < end:
        time.sleep(0.05)
    assert worker.pid is None
    assert worker.wait(worker.submit(Job("echo", "Echo", {})), 20).state is State.DONE
    worker.shut_down()


def test_the_worker_dies_with_its_parent(tmp_path):
    import subprocess

    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(SCRIPT), "utf-8")
    parent = (
        "import sys, time; from pathlib import Path; from sapiens2_avatar.core.worker_client import Worker, Job\n"
        f"w = Worker([sys.executable, '-I', '-u', {str(script)!r}, '60'], Path({str(tmp_path / 'log')!r}))\n"
        "j = w.submit(Job('slow', 'Slow', {'seconds': 60, 'polite': False}))\n"
        "while not j.accepted: w.pump()\n"
        "print(w.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


def test_a_python_that_does_not_exist_is_a_sentence(tmp_path):
    worker = Worker([str(tmp_path / "no python")], tmp_path / "log")
    job = worker.wait(worker.submit(Job("echo", "Echo", {})), 5)
    assert job.state is State.FAILED and "could not be started" in job.error.message and job.error.hint


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
    end = time.monotonic() + 5
    while not task.ended and time.monotonic() < end:
        task.pump()
    task.pump()
    assert task.state is State.DONE and ends == [task]


def fake_uv(folder: Path, body: str) -> Path:
    """A stand-in for uv, so that the order, the resumption and the failures can be tested without a network."""
    program = folder / "uv"
    program.write_text(f"#!{sys.executable}\nimport sys, os, pathlib\nargs = sys.argv[1:]\n{body}\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Function: what uv shall do -> nothing; sets up a runtime whose uv is a stand-in."""
    from sapiens2_avatar.core import runtime as module

    def set_up(body: str = "") -> Path:
        venv = (
            "if args[0] == 'venv':\n"
            "    bin = pathlib.Path(args[-1]) / 'bin'; bin.mkdir(parents=True, exist_ok=True)\n"
            "    p = bin / 'python'; p.write_text('#!/bin/sh\\nexit ${IMPORT_STATUS:-0}\\n'); p.chmod(0o755)\n"
        )
        monkeypatch.setattr(module, "uv_program", lambda folder: fake_uv(tmp_path, venv + body))
        return tmp_path / "runtime ü"

    return set_up


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
class TestRuntime:
    def test_installs_in_order_and_is_removed(self, runtime, tmp_path):
        folder, seen = runtime(), []
        python = install(folder, tmp_path / "log", lambda stage, fraction: seen.append((stage, fraction)), lambda: False)
        assert installed_python(folder) == python
        assert [stage for stage, _ in seen] == [
            "Making the environment",
            "Downloading torch",
            "Downloading libraries",
            "Testing",
            "Done",
        ]
        assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen) and seen[-1][1] == 1.0
        remove(folder)
        assert installed_python(folder) is None and not (folder / "env").exists()

    def test_a_broken_download_is_a_sentence_and_goes_on_later(self, runtime, tmp_path):
        broken = "if args[0] == 'pip' and not pathlib.Path('up').exists(): print('error: dns error'); sys.exit(2)"
        folder = runtime(broken.replace("'up'", repr(str(tmp_path / "up"))))
        with pytest.raises(SapiensError, match=r"Downloading torch failed: error: dns error\. Check the internet"):
            install(folder, tmp_path / "log", lambda *_: None, lambda: False)
        assert installed_python(folder) is None
        (tmp_path / "up").touch()
        stages = []
        install(folder, tmp_path / "log", lambda stage, _: stages.append(stage), lambda: False)
        assert stages[0] == "Downloading torch" and installed_python(folder) is not None

    def test_an_import_that_fails_is_noticed(self, runtime, tmp_path, monkeypatch):
        folder = runtime()
        monkeypatch.setenv("IMPORT_STATUS", "1")
        with pytest.raises(SapiensError, match="Testing failed"):
            install(folder, tmp_path / "log", lambda *_: None, lambda: False)
        assert installed_python(folder) is None

    def test_it_can_be_cancelled_in_every_step(self, runtime, tmp_path):
        from sapiens2_avatar.core.errors import Cancelled

        folder = runtime("import time; time.sleep(60)")
        start = time.monotonic()
        with pytest.raises(Cancelled):
            install(folder, tmp_path / "log", lambda *_: None, lambda: time.monotonic() - start > 0.3)
        assert time.monotonic() - start < 5 and installed_python(folder) is None

    def test_a_new_lock_makes_the_environment_outdated(self, runtime, tmp_path, monkeypatch):
        from sapiens2_avatar.core import runtime as module

        folder = runtime()
        install(folder, tmp_path / "log", lambda *_: None, lambda: False)
        monkeypatch.setattr(module, "lock_hash", lambda: "another")
        assert installed_python(folder) is None and outdated(folder)

    def test_a_folder_of_wheels_needs_no_network(self, runtime, tmp_path):
        commands = [step.command for step in steps(runtime(), tmp_path / "wheels")]
        for command in commands:
            if command[1:2] == ("pip",):
                assert {"--offline", "--no-index"} <= set(command) and "--torch-backend=auto" not in command

    def test_the_last_line_of_a_log_is_short(self, tmp_path):
        (tmp_path / "log").write_text("a\n\nerror: " + "x" * 900 + "\n\n")
        assert len(_last_line(tmp_path / "log")) <= 160
