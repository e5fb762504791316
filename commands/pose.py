"""`pose IMAGE|PREDICTIONS --armature FILE.blend[:NAME] -o FILE.blend`: the person's pose on an armature."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from .armatures import open_armature
from .build import require_blender
from .console import Console
from .inputs import check_writable, predictions_of


def run(options: Namespace, console: Console) -> None:
    from ..core.pose import lift_pose

    output = Path(options.output)
    check_writable(output)
    require_blender()
    console.claim_stdout()
    predictions = predictions_of(Path(options.input), options, console)
    pose = lift_pose(predictions, person=options.person)
    from ..scene.files import save_blend
    from ..scene.retarget import retarget

    armature = open_armature(options.armature)
    done = retarget(pose, armature)
    console.note(f"{armature.name}: {done.family}, {len(done.bones)} bones posed")
    for note in done.notes:
        console.note(note)
    console.record(armature=armature.name, family=done.family, bones=list(done.bones), unseen=list(done.unseen))
    console.result(save_blend(output))
