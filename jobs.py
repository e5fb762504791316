"""Owns the worker process inside Blender: which Python runs it, one timer that looks after it, what the panel says of it.

Everything here is called from the main thread. `pump` may be called at any time; without a window, where timers never fire,
`wait` calls it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from . import folders, preference_values
from .core.common.errors import SapiensError
from .core.common.processes import is_alive
from .core.formats.prediction_cache import stored_predictions, sweep_logs
from .runtime import environment
from .runtime.memory import total_memory
from .weights import catalogue
from .worker import job as work
from .worker.client import WorkerJob, WorkerProcess
from .worker.job import Job, JobOfKind, State
from .worker.thread import ThreadJob

TICK_SECONDS = 0.1
SETTLE_TICKS = 3
"""Drawings after the end of a job: a panel that changes its height needs one more than one."""
MODELS_VARIABLE = "SAPIENS2_MODELS"
WORKER = Path(__file__).parent / "worker" / "start.py"
COMMAND_LINE = Path(__file__).parent / "commands" / "start.py"


@dataclass(frozen=True)
class Installed:
    """Tasks of a model whose weights are here, and that could be downloaded; bytes of the largest and of the missing files."""

    tasks: tuple[str, ...]
    missing: tuple[str, ...]
    largest: int
    missing_bytes: int


@dataclass
class Status:
    """What the panels draw, besides the running job.

    error, detail  of the last job that failed, until the next one starts; a detail only of what nobody expects
    failed         the operator of that job, as its `bl_idname`
    notes          sentences about the last result
    inputs         what the last job was given (`properties.inputs`): error and notes are about that
    held           jobs that are done, whose results wait until the artist is free -> what the artist is in the middle of
    write_now      the artist does not want to wait for a running operator
    found          the artist has seen the tab since Blender started
    python         the Python of the worker, None = the runtime has to be installed first; kept by `refresh`
    outdated       there is a runtime, but of an older version of the extension
    unfinished     its installation was begun, and can go on
    python_problem why the Python that was chosen in the preferences cannot be used
    cache_bytes    size of the stored predictions
    models         model id -> what is installed of it
    memory         bytes of main memory, 0 = unknown
    devices        what the runtime can run on, best first: name, hardware, bytes of its own memory; empty = unknown
    """

    error: SapiensError | None = None
    detail: str = ""
    failed: str = ""
    notes: tuple[str, ...] = ()
    inputs: tuple[object, ...] | None = None
    held: dict[Job, str] = field(default_factory=dict)
    write_now: bool = False
    found: bool = False
    python: Path | None = None
    outdated: bool = False
    unfinished: bool = False
    python_problem: SapiensError | None = None
    cache_bytes: int = 0
    models: dict[str, Installed] = field(default_factory=dict)
    memory: int = 0
    devices: tuple[tuple[str, str, int], ...] = ()


status = Status()
_models_before = os.environ.get(MODELS_VARIABLE)
_worker: WorkerProcess | None = None
_thread: ThreadJob | None = None
_settle = 0


def refresh() -> None:
    """Look again for the runtime, the weights and the cache: at the start, and after anything that may have changed them."""
    status.python = interpreter()
    folder = runtime_folder()
    status.outdated = status.python is None and environment.outdated(folder)
    status.unfinished = status.python is None and environment.unfinished(folder)
    chosen = chosen_python()
    status.python_problem = None
    if chosen is not None and status.python is None:
        status.python_problem = SapiensError(
            f"The Python chosen in the preferences, {chosen.name}, does not exist.", "Choose another one, or none.", "preferences"
        )
    set_models_folder()
    status.cache_bytes = sum(stored.size for stored in stored_predictions(folders.cache_folder()))
    rows = catalogue.list_models()
    status.models = {}
    for model in dict.fromkeys(row.model for row in rows):
        here = [row for row in rows if row.model == model and row.path is not None]
        away = [row for row in rows if row.model == model and row.path is None]
        status.models[model] = Installed(
            tuple(row.task for row in here),
            tuple(row.task for row in away),
            max(row.size for row in (*here, *away)),
            sum(row.size for row in away),
        )
    status.memory = status.memory or total_memory()
    status.devices = () if chosen is not None else tuple(environment.installed_devices(folder))


def memory_for(device: str) -> tuple[str, int]:
    """Whose memory the network has on a device ("auto": the best one): a graphics card's name, empty for the computer; bytes."""
    for name, hardware, memory in status.devices:
        if device in ("auto", name, name.partition(":")[0]):
            return (hardware, memory) if memory else ("", status.memory)
    return "", status.memory


def chosen_python() -> Path | None:
    """The Python that somebody wants: in the preferences, else $SAPIENS2_PYTHON; None for the extension's own runtime."""
    chosen = bpy.path.abspath(preference_values.current().python_path) or os.environ.get("SAPIENS2_PYTHON", "")
    return Path(chosen) if chosen else None


def interpreter() -> Path | None:
    """The Python that runs the worker: the chosen one, else the extension's own runtime; None where it is not there."""
    chosen = chosen_python()
    if chosen is not None:
        return chosen if chosen.is_file() else None
    return environment.installed_python(runtime_folder())


def check_python() -> None:
    """Tell the panel when the Python chosen in the preferences is too old or lacks packages."""
    status.error, status.detail = None, ""
    chosen = chosen_python()
    if chosen is not None and status.python_problem is None:
        try:
            environment.check_interpreter(chosen)
        except SapiensError as error:
            status.error = error


def set_models_folder() -> None:
    """Weights are looked for where the preferences say, here and in the worker, which inherits the variable."""
    chosen = preference_values.current().models_folder
    if chosen:
        os.environ[MODELS_VARIABLE] = bpy.path.abspath(chosen)
    else:
        _give_back_models_folder()


def _give_back_models_folder() -> None:
    """The variable as Blender was started with."""
    if _models_before is None:
        os.environ.pop(MODELS_VARIABLE, None)
    else:
        os.environ[MODELS_VARIABLE] = _models_before


def this_blender() -> list[str]:
    """The option that lets a batch write its scenes with this Blender; none where Blender is a module of Python."""
    return ["--blender", bpy.app.binary_path] if Path(bpy.app.binary_path).is_file() else []


def runtime_folder() -> Path:
    """Where the runtime is: a folder of its own inside the one of the preferences, so that removing it removes nothing else."""
    chosen = preference_values.current().runtime_folder
    return Path(bpy.path.abspath(chosen)) / "sapiens2-runtime" if chosen else folders.user_folder("runtime")


def log_file() -> Path:
    """What the worker and its libraries print. Each running Blender has its own."""
    return folders.user_folder("logs") / f"worker-{os.getpid()}.log"


def install_log() -> Path:
    """What uv said while it made the runtime."""
    return folders.user_folder("logs") / "install.log"


def worker() -> WorkerProcess:
    """The worker of this Blender. Raises SapiensError when there is no Python to run it."""
    global _worker
    if _worker is None:
        python = interpreter()
        if python is None:
            raise no_python()
        if python == chosen_python():
            environment.check_interpreter(python)
        sweep_logs(log_file().parent)
        idle = 60 * preference_values.current().idle_minutes
        _worker = WorkerProcess([str(python), "-I", "-u", str(WORKER), f"{idle:g}"], log_file())
    return _worker


def no_python() -> SapiensError:
    """The error of work that needs the worker where there is no Python to run it."""
    if status.python_problem is not None:
        return status.python_problem
    hint = "Install the runtime in the sidebar."
    return SapiensError("What looks at the photos is not installed yet.", hint, "runtime")


def submit(job: WorkerJob) -> WorkerJob:
    """Queue a job; in a window, the timer takes it from here. Raises SapiensError when there is no runtime."""
    _forget_last()
    worker().submit(_remembering(job))
    worker().pump()
    _keep_ticking()
    return job


def start(job: ThreadJob) -> ThreadJob:
    """Start work in a thread; there is one at a time. Raises SapiensError while another one runs."""
    global _thread
    if _thread is not None and not _thread.ended:
        raise SapiensError(f"{_thread.title} is still being worked on.", "Wait for it, or cancel it.")
    _forget_last()
    _thread = _remembering(job)
    _thread.start()
    _keep_ticking()
    return job


def pump() -> None:
    """Take in what the worker has said and what the thread has done."""
    if _worker is not None:
        _worker.pump()
    if _thread is not None:
        _thread.pump()


def wait(job: JobOfKind, timeout: float | None = None, on_progress: Callable[[JobOfKind], None] | None = None) -> JobOfKind:
    """Block until the job has ended: background, scripts and the redo panel. Raises TimeoutError."""
    return work.wait(job, pump, timeout, on_progress)


def current() -> Job | None:
    """The job that runs or is next, None when there is nothing to do."""
    if _thread is not None and not _thread.ended:
        return _thread
    if _worker is None:
        return None
    return _worker.current or (_worker.waiting[0] if _worker.waiting else None)


def waiting() -> tuple[WorkerJob, ...]:
    """Jobs in the queue behind the current one, the next one first."""
    return tuple(_worker.waiting) if _worker is not None and _worker.current is not None else ()


def forget() -> None:
    """What was said of a result or a failure that is not there any more: after undo, and in another file."""
    if current() is None:
        _forget_last()
        settle()


def mended() -> None:
    """The cause of the last error is gone."""
    status.error, status.detail, status.failed = None, "", ""
    settle()


def _forget_last() -> None:
    status.error, status.detail, status.failed, status.notes, status.inputs = None, "", "", (), None


def hold(job: Job, occupation: str) -> None:
    """Let the panels say that a result is there, and what it waits for."""
    if status.held.get(job) != occupation:
        status.held[job] = occupation
        settle()


def let_go(job: Job) -> None:
    """The result of a job waits no longer."""
    status.held.pop(job, None)
    status.write_now = status.write_now and bool(status.held)


def dismiss_held() -> None:
    """The results that wait are not wanted: the operators that hold them end like those of cancelled jobs."""
    for job in status.held:
        job.state = State.CANCELLED
    settle()


def restart() -> None:
    """End the worker; the next job starts one with the preferences as they are then."""
    global _worker
    old, _worker = _worker, None
    if old is not None:
        old.shut_down()
    refresh()


def scratch() -> Path:
    """A new folder for the files of one job. Those of a Blender that is gone are removed on the way."""
    folder = folders.user_folder("scratch")
    for left in folder.iterdir():
        owner = left.name.split("-")[0]
        if owner.isdigit() and int(owner) != os.getpid() and not is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=folder))


def redraw() -> None:
    """Ask for a new drawing of every sidebar that could show our panels, and of the status bar."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
    # Python does not reach the status bar; it is drawn anew when a view layer gets another name.
    name: Any = (bpy.types.ViewLayer, "name")  # the stubs know no types as keys
    bpy.msgbus.publish_rna(key=name)


def stop() -> None:
    """Called by `unregister`: no process, timer or scratch folder of this Blender is left, nor a folder in its environment."""
    if _thread is not None and not _thread.ended:
        _thread.cancel()
        wait(_thread)
    restart()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _forget_last()
    status.held.clear()
    status.write_now = False
    _give_back_models_folder()


def settle() -> None:
    """Draw the panels a few times more: what a job has left in them changes their height."""
    global _settle
    _settle = SETTLE_TICKS
    _keep_ticking()


def _tick() -> float | None:
    global _settle
    pump()
    redraw()
    _settle = SETTLE_TICKS if current() is not None else _settle - 1
    return TICK_SECONDS if _settle > 0 else None


def _keep_ticking() -> None:
    """In a window, a timer looks after the job; without one, `wait` does."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK_SECONDS, persistent=True)


def _remembering(job: JobOfKind) -> JobOfKind:
    """The same job; when it fails, the panel knows."""
    then = job.on_end

    def on_end(ended: Job) -> None:
        if ended.state is State.FAILED:
            if (
                ended.error is not None
                and ended.error.remedy == "runtime"
                and ended is not _thread
                and chosen_python() is not None
            ):
                ended.error.remedy = "preferences"  # the extension's own runtime is not the one that is broken
            status.error, status.detail, status.failed = ended.error, ended.detail, ended.asked_by
        refresh()
        if then is not None:
            then(ended)
        if not bpy.app.background:
            redraw()

    job.on_end = on_end
    return job
