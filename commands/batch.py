"""`batch FOLDER|LIST|PATTERN -o DIR`: many inputs, each with a result or a reason."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..batch import record as records
from ..batch.engine import Outcome, Worker, end_workers, run_local
from ..batch.items import Item, chunk, find_inputs, make_items
from ..batch.plan import BVH, ClipOptions, NetworkOptions, Plan
from ..batch.report import Journal, line_of, write_contact_sheet, write_reports
from ..batch.stages import Job, write_library
from ..core.common.errors import SapiensError, UsageError
from ..core.common.file_lock import Held, file_lock
from .build import EXPORTS, avatar_settings
from .console import Console


def run(options: Namespace, console: Console) -> None:
    if options.library and not options.blend:
        raise UsageError("--library gathers .blend files, and with --no-blend there are none.", "Leave one of the two out.")
    plan = make_plan(options)
    output = Path(options.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SapiensError(
            f"The folder {output} cannot be made: {error.strerror}.", "Choose another place for the results."
        ) from error
    part, parts = options.chunk
    suffix = f"-{part}of{parts}" if parts > 1 else ""
    with _alone(output, suffix), _signals():
        _run(options, console, output, suffix, plan)


def _run(options: Namespace, console: Console, output: Path, suffix: str, plan: Plan) -> None:
    items = make_items(find_inputs(options.source), options.name, records.known_names(output))
    items = chunk(items, *options.chunk)
    lines: dict[Path, dict] = {}
    jobs: list[Job] = []
    copies: list[tuple[Item, str]] = []
    journal = Journal(output / f"report{suffix}.jsonl")

    def ended(item: Item, record: records.Record) -> None:
        lines[item.path] = line_of(item.name, record)
        journal.write(lines[item.path])
        if record.error:
            console.failed(item.path, SapiensError(record.error, record.hint))
        elif not record.copy_of:
            console.result(output / item.name)
        console.progress("batch", f"{len(lines)} of {len(items)}", len(lines) / len(items))

    first: dict[str, Item] = {}
    _remove_leftovers(output, f".report{suffix}.*.part", f".contact{suffix}.*.part")  # those of other chunks are theirs
    for item in items:
        folder = output / item.name
        if item.error:
            ended(item, records.Record(str(item.path), "", error=item.error, hint=item.hint))
        elif item.sha256 in first:
            copies.append((item, first[item.sha256].name))
        else:
            first[item.sha256] = item
            found = records.load(folder)
            todo = plan.todo(item, found, folder, options.retry_failed)
            if todo:
                _remove_leftovers(folder, ".*.part", ".sapiens2-*")
                jobs.append(Job(item, folder, todo))
            else:
                assert found is not None
                if found.input != str(item.path):  # the same content under another name
                    found.input = str(item.path)
                    records.save(folder, found)
                ended(item, found)
    try:
        for job, error in _engine(options, jobs, plan):
            record = records.load(job.folder) or records.Record(str(job.item.path), job.item.sha256)
            if error is not None and not record.error:
                record.error, record.hint = error.message, error.hint
            ended(job.item, record)
        for item, name in copies:
            record = records.load(output / name) or records.Record(str(item.path), item.sha256)
            record.input, record.copy_of = str(item.path), name
            ended(item, record)
    finally:
        journal.close()
    ordered = [lines[item.path] for item in items]
    write_reports(output, suffix, ordered)
    console.result(write_contact_sheet(output / f"contact{suffix}.png", ordered, output))
    if options.library:
        done = [output / line["name"] / f"{line['name']}.blend" for line in ordered if line["status"] == "done"]
        if files := [path for path in done if path.exists()]:
            console.result(_in_worker(write_library, files, Path(options.library), plan))


def _engine(options: Namespace, jobs: list[Job], plan: Plan) -> Iterator[Outcome]:
    """Where the work is done."""
    if options.engine == "ray":
        from ..batch.cluster import run_ray

        return run_ray(jobs, plan, options.address, options.group)
    return run_local(jobs, plan, options.jobs, options.group)


def make_plan(options: Namespace) -> Plan:
    """What the options ask for, with the identity of the weights in it."""
    from ..weights.catalogue import fingerprint

    make = ["predictions", *(["blend"] if options.blend else []), *(["preview"] if options.picture else [])]
    make += [f".{kind.lstrip('.').lower()}" for kind in options.export]
    if unknown := [kind for kind in make if kind.startswith(".") and kind not in (*EXPORTS, BVH)]:
        raise UsageError(f"{', '.join(unknown)} is no known format.", f"Choose from {', '.join((*EXPORTS, BVH))}.")
    network = NetworkOptions(
        options.model, options.tasks, options.device, options.precision, options.flip, fingerprint(options.model)
    )
    return Plan(
        network,
        avatar_settings(options),
        ClipOptions(options.fps, options.start, options.end),
        tuple(dict.fromkeys(make)),
        options.people,
        options.blender,
        options.separate,
    )


def _in_worker(function: Callable[..., Path], *arguments: object) -> Path:
    """One call in a process of its own: this one has no Blender, and starts fast because of that."""
    try:
        return Worker().submit(function, *arguments).result()
    finally:
        end_workers()


def _remove_leftovers(folder: Path, *patterns: str) -> None:
    """Temporary files of a run that was killed (`core.common.atomic_files`, `scene.files`). Other hidden files are not ours to remove."""
    import shutil

    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _alone(output: Path, suffix: str) -> Iterator[None]:
    """One batch at a time in a folder."""
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(output / f".batch{suffix}.lock"))
        except Held as error:
            raise SapiensError(f"Another batch is writing to {output}.", "Wait for it, or choose another folder.") from error
        yield


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM stops a batch like Ctrl+C does: what is finished stays finished."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
