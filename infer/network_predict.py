"""From a photo to predictions: find the people, look at each closely enough, bring all maps into the photo's pixels."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..core.capture.people import Person, box_of, check_boxes, find_people
from ..core.capture.photo import Photo, read_photo
from ..core.capture.provenance import provenance
from ..core.common.errors import SapiensError
from ..core.common.landmarks import keypoint_swap
from ..core.common.predictions import Predictions
from ..core.common.progress import Progress
from .checkpoints import Checkpoint, find_checkpoints
from .dense_passes import DensePasses
from .focal import Focal
from .postprocess import decode_heatmaps, mirrored_heatmaps
from .preprocess import PoseWindow, pose_crop
from .region_maps import Layout, decode_parts, replace_parts
from .session import Session
from .tasks import TASKS
from .windows import Region, owners, plan_regions


def predict_network(
    image: str | Path | np.ndarray,
    model: str | Path,
    tasks: Iterable[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    boxes: np.ndarray | None = None,
    flip_test: bool = True,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
    draft: bool = False,
) -> Predictions:
    """Run Sapiens2 on a photo; arguments and errors as `infer.predict.predict`."""
    session = Session(device, precision, progress, cancel, draft=draft)
    try:
        work = _work(read_photo(image), model, tasks, boxes, flip_test, session)
        while True:
            try:
                next(work)
            except StopIteration as end:
                session.meter.finish()
                return end.value
    finally:
        session.close()


def predict_many(
    images: Sequence[str | Path | np.ndarray],
    session: Session,
    model: str | Path,
    tasks: Iterable[str] | None = None,
    flip_test: bool = True,
) -> Iterator[Predictions | SapiensError]:
    """The same as `predict_network` for a group of photos, in their order, in a session that the caller keeps: each checkpoint
    that it does not hold yet is loaded once for all of them.

    A photo that fails gives the error in its place. All photos of the group and their raw maps are in memory together, so keep
    groups small. The photos are decoded while the network works on the first, and one is yielded as soon as it and those before
    it are done. Raises SapiensError for what concerns all of them.
    """
    find_checkpoints(model, tasks)
    results: list[Predictions | SapiensError | None] = [None] * len(images)
    waiting: dict[int, Generator[Path, None, Predictions]] = {}
    step: dict[int, Path] = {}
    with ThreadPoolExecutor(1) as reader:
        photos = [reader.submit(read_photo, image) for image in images]

        def advance(i: int) -> None:
            """One photo up to where it needs the next checkpoint."""
            try:
                if i not in waiting:
                    waiting[i] = _work(photos[i].result(), model, tasks, None, flip_test, session)
                step[i] = next(waiting[i])
            except StopIteration as end:
                results[i] = end.value
            except SapiensError as error:
                results[i] = error
            if results[i] is not None:
                waiting.pop(i, None)
                step.pop(i, None)

        for i in range(len(images)):
            advance(i)
        given = 0
        while True:
            while given < len(images) and (result := results[given]) is not None:
                results[given] = None
                given += 1
                yield result
            if not step:
                return
            # Every photo goes through the same checkpoints in the same order: do all that wait for the earliest one.
            checkpoint = step[min(step)]
            for i in [i for i, wanted in step.items() if wanted == checkpoint]:
                while step.get(i) == checkpoint:
                    advance(i)
                if given == i and results[i] is not None:
                    break  # let the caller write it while the others run


def _work(
    photo: Photo, model: str | Path, tasks: Iterable[str] | None, boxes: np.ndarray | None, flip_test: bool, session: Session
) -> Generator[Path, None, Predictions]:
    """Predict one photo; yields the checkpoint that it is about to run, so that several photos can share one loading of it."""
    checkpoints = find_checkpoints(model, tasks)
    finder = checkpoints.get("seg") or find_checkpoints(model, None).get("seg")
    dense = {task: checkpoint for task, checkpoint in checkpoints.items() if task != "pose"}
    if finder is not None:
        dense = {"seg": finder} | dense
    passes = DensePasses(photo.image, dense, session)
    pose = (checkpoints["pose"],) if "pose" in checkpoints else ()
    session.models.order = tuple(dict.fromkeys((*dense.values(), *pose)))
    poses = (("pose",),) * (1 + flip_test) if "pose" in checkpoints else ()
    session.expect((*passes.planned([Region.whole(*photo.image.shape[:2])]), *poses))
    if finder is not None:
        yield finder.path
    layout = _layout(photo, passes, boxes)
    session.expect((*passes.planned(layout.distinct), *poses * len(layout.people)))
    layout = _closer(photo, passes, layout, boxes)
    maps: dict[str, np.ndarray | None] = {"alpha": layout.alpha}
    focal = None
    for task, row in TASKS.items():
        if task in dense and row.merge is not None:
            yield dense[task].path
            merged = row.merge(passes.outputs(task, layout.distinct), layout)
            maps |= merged.maps
            focal = focal or merged.focal
    if photo.alpha is not None:  # the photo knows better than any network
        maps["alpha"] = layout.alpha
    keypoints = None
    if poses:
        yield checkpoints["pose"].path
        keypoints = _keypoints(photo.image, layout.people, checkpoints["pose"], session, flip_test)
    return Predictions(
        image=photo.image,
        seg=layout.seg if "seg" in checkpoints else None,
        keypoints=keypoints,
        boxes=np.stack([person.box for person in layout.people]).astype(np.float32),
        intrinsics=None if focal is None else _intrinsics(focal, *layout.shape),
        metadata=provenance(photo, _models(checkpoints), focal.source if focal else None, session.draft),
        **maps,
    )


def _layout(photo: Photo, passes: DensePasses, boxes: np.ndarray | None) -> Layout:
    """Find the people in the whole photo, and the region through which to look at each."""
    height, width = photo.image.shape[:2]
    boxes = None if boxes is None or len(boxes) == 0 else check_boxes(boxes, height, width)
    if "seg" in passes.checkpoints:
        seg, alpha = decode_parts(passes.output("seg", Region.whole(height, width)))
        if photo.alpha is not None:
            seg[photo.alpha == 0] = 0
        passes.session.meter.report("people")
        people = find_people(seg, boxes)
    else:
        seg = alpha = None
        people = [Person(_rectangle(box, height, width), box) for box in _whole_box(height, width, boxes)]
    if not people:
        raise SapiensError(
            f"No person was found in {photo.name}.", "Choose a photo that shows a person, or give a box around them."
        )
    first = next(iter(passes.checkpoints.values()), None)
    size = passes.session.input_size(first) if first else (1024, 768)
    regions = plan_regions(people, height, width, size)
    return Layout(people, regions, owners(people, height, width), seg, alpha, photo.focal_35mm)


def _whole_box(height: int, width: int, boxes: np.ndarray | None) -> np.ndarray:
    return np.array([[0, 0, width - 1, height - 1]], np.float32) if boxes is None else boxes


def _rectangle(box: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) bool: the pixels whose centres are in the box."""
    x, y = np.arange(width), np.arange(height)
    return ((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2]))[None, :]


def _closer(photo: Photo, passes: DensePasses, layout: Layout, boxes: np.ndarray | None) -> Layout:
    """The layout with parts as seen through the windows, nothing away from people, and the people's final masks and boxes."""
    if layout.seg is None:
        return replace(layout, alpha=photo.alpha)
    whole = Region.whole(*layout.shape)
    replace_parts(passes.outputs("seg", [region for region in layout.distinct if region != whole]), layout)
    seg, nobody = layout.seg, layout.owner < 0
    assert layout.alpha is not None  # it comes with the labels
    layout.seg[nobody], layout.alpha[nobody] = 0, 0
    if photo.alpha is not None:
        layout.seg[photo.alpha == 0] = 0
        layout = replace(layout, alpha=np.where(nobody, 0, photo.alpha).astype(np.uint8))
    people = []
    for i, person in enumerate(layout.people):
        mask = (layout.owner == i) & (seg > 0)
        box = person.box if boxes is not None and len(boxes) else box_of(mask if mask.any() else person.mask)
        people.append(Person(mask, box))
    return replace(layout, people=people)


def _keypoints(image: np.ndarray, people: list[Person], checkpoint: Checkpoint, session: Session, flip_test: bool) -> np.ndarray:
    """(P, 308, 3) float32: x, y in photo pixels, score in 0..1."""
    height, width = session.input_size(checkpoint)
    at_once, found = session.images_at_once(checkpoint), []
    windows = [PoseWindow.around(person.box, height, width) for person in people]
    step = max(1, at_once // (1 + flip_test))
    for start in range(0, len(windows), step):
        group = windows[start : start + step]
        crops = torch.cat([pose_crop(image, window, height, width) for window in group])
        inputs = torch.cat([crops, crops.flip(-1)]) if flip_test else crops
        heatmaps = torch.cat([session.run(checkpoint, part, ("pose",))["heatmaps"] for part in inputs.split(at_once)])
        if flip_test:
            seen, mirrored = heatmaps.chunk(2)
            heatmaps = (seen + mirrored_heatmaps(mirrored, keypoint_swap())) / 2
        found += [decode_heatmaps(torch.nan_to_num(maps), window) for maps, window in zip(heatmaps, group, strict=True)]
    keypoints = np.stack(found)
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)
    return keypoints


def _intrinsics(focal: Focal, height: int, width: int) -> np.ndarray:
    """(3, 3) float32 with the principal point in the middle of the photo."""
    return np.array([[focal.pixels, 0, (width - 1) / 2], [0, focal.pixels, (height - 1) / 2], [0, 0, 1]], np.float32)


def _models(checkpoints: dict[str, Checkpoint]) -> dict[str, dict[str, str]]:
    return {task: {"id": c.model, "revision": c.revision} for task, c in checkpoints.items()}
