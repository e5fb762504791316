"""The command line: ``python -m sapiens2_avatar …`` and ``blender --command sapiens2 …`` take the same sub-commands.

Exit status: 0 all done, 1 some inputs failed (each named with its reason), 2 wrong usage. Progress goes to stderr, the paths of
results to stdout; with --json one JSON object on stdout says all of it. Each sub-command is a module of `commands`.
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module

from ..weights.catalogue import TASKS
from . import arguments


def _add_model_options(parser: argparse.ArgumentParser, box: bool = True) -> None:
    """box: whether it can be said where the people are, which is of one photo alone and not of clips and batches."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--model",
        type=arguments.model,
        default="preview",
        metavar="ID",
        help="preview (built in), 0.4b, 0.8b, 1b or 5b (default: %(default)s)",
    )
    group.add_argument(
        "--tasks",
        type=arguments.tasks,
        metavar="LIST",
        help=f"comma-separated, of {', '.join(TASKS)} (default: all that the model has)",
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, xpu (default: %(default)s)")
    group.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "float32", "bfloat16", "float16"),
        help="number format of the network (default: auto)",
    )
    if box:
        group.add_argument(
            "--box",
            type=arguments.box,
            action="append",
            metavar="X1,Y1,X2,Y2",
            help="a person's box in pixels instead of finding people; repeatable",
        )
    group.add_argument(
        "--no-flip",
        dest="flip",
        action="store_false",
        help="do not average the keypoints with those of the mirrored person (faster)",
    )


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    scan = parser.add_argument_group("scan")
    scan.add_argument(
        "--resolution",
        type=arguments.resolution,
        default="full",
        metavar="full|half|photo|FACES",
        help="mesh resolution or a face count (default: full)",
    )
    scan.add_argument(
        "--detail", type=arguments.unit, default=None, metavar="0..1", help="how much the normals lead over the pointmap"
    )
    scan.add_argument("--quads", action="store_true", help="quads instead of triangles; a face count gives triangles")
    scale = scan.add_mutually_exclusive_group()
    scale.add_argument("--stature", type=arguments.number(0.3, 3), metavar="METRES", help="scale the person to this height")
    scale.add_argument(
        "--distance", type=arguments.number(0.1, 1000), metavar="METRES", help="scale the person to this distance from the camera"
    )
    scan.add_argument(
        "--focal",
        type=arguments.number(1, 10_000),
        metavar="MM",
        help="focal length of the lens for 35 mm film, where it is known",
    )
    scan.add_argument(
        "--keep-camera-frame",
        action="store_true",
        help="leave the scan where the camera saw it instead of standing it on the ground",
    )
    scan.add_argument(
        "--colour", choices=("auto", "albedo", "delighted", "photo"), default="auto", help="what the base colour is made of"
    )
    scan.add_argument(
        "--bake",
        type=arguments.texels,
        default=0,
        metavar="TEXELS",
        help="textures of this side in the atlas instead of the photo's projection",
    )
    scan.add_argument(
        "--displacement", action="store_true", help="also make a 32-bit map of the metres from the mesh to the surface"
    )
    rig = parser.add_argument_group("rig")
    rig.add_argument("--no-rig", action="store_true", help="scan only")
    rig.add_argument(
        "--rest",
        choices=("photo", "A", "T"),
        default="photo",
        help="pose of rig and scan at rest: as in the photo, or an A-pose or T-pose (default: photo)",
    )


def _add_separate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--separate", action="store_true", help="hair, clothing, shoes and skin as objects of their own")


def _add_bone_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size", type=arguments.size, metavar="WxH", help="pixels of the photos that keypoints belong to (default: as they say)"
    )
    parser.add_argument("--bones", metavar="FILE.json", help="the bone table of the rig (default: recognised)")
    parser.add_argument("--save-bones", metavar="FILE.json", help="write the bone table that was used, to be corrected")


def _add_rig_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hips",
        choices=("move", "height", "none"),
        default="move",
        help="travel with the person, only up and down, or stay: rotations alone (default: move)",
    )
    parser.add_argument(
        "--mute-constraints", action="store_true", help="mute constraints that hold the mapped bones instead of refusing the rig"
    )
    parser.add_argument(
        "--face-gain",
        type=float,
        default=1.0,
        metavar="N",
        help="factor on how far jaw and eyes turn, where the rig has bones for them; 0 leaves them alone (default: 1)",
    )


def parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="sapiens2-avatar", description="Turn photographs of people into digital humans in Blender."
    )
    top.add_argument("--version", action="store_true", help="print the version and leave")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout instead of paths")
    common.add_argument("--quiet", action="store_true", help="no progress")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common])

    demo = add("demo", "The built-in photo through the built-in preview model: demo.blend, demo.glb and demo.png.")
    demo.add_argument("-o", "--output", default=".", metavar="DIR", help="where to write (default: here)")
    _add_model_options(demo)
    _add_build_options(demo)

    predict = add("predict", "Run the network: one predictions file per image.")
    predict.add_argument("images", nargs="+", metavar="IMAGE")
    predict.add_argument("-o", "--output", default=".", metavar="DIR", help="where to write (default: here)")
    _add_model_options(predict)

    build = add("build", "Scan, textures, camera and rig from photos or stored predictions.")
    build.add_argument(
        "inputs",
        nargs="+",
        metavar="IMAGE|PREDICTIONS",
        help="photos, stored predictions, or what Meta's demo scripts wrote (.npy, .ply, .json; the photo beside it)",
    )
    build.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    build.add_argument(
        "--export",
        action="append",
        default=[],
        metavar="FILE.glb|.fbx|.usd|.obj|.ply|.json|.exr",
        help="also write this file (.json: the camera, .exr: the displacement in metres); repeatable",
    )
    build.add_argument("--cloud", metavar="FILE.ply", help="also write the vertices as a point cloud with normals and colours")
    _add_separate(build)
    build.add_argument("--preview", metavar="FILE.png", help="also render a picture of the result")
    _add_model_options(build)
    _add_build_options(build)

    pose = add("pose", "The person's pose on an armature of yours.")
    pose.add_argument(
        "input",
        metavar="IMAGE|PREDICTIONS|KEYPOINTS",
        help="a photo, stored predictions (ours, or .npy and .ply of Meta's demo scripts), or keypoints as .json or .npz",
    )
    pose.add_argument("--armature", required=True, metavar="FILE.blend[:NAME]", help="the rig to pose")
    pose.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    pose.add_argument(
        "--person", type=arguments.number(0, kind=int), default=0, metavar="N", help="from the left, counted from 0 (default: 0)"
    )
    _add_bone_options(pose)
    _add_rig_options(pose)
    _add_model_options(pose)

    animate = add("animate", "A video or a folder of frames as an action.")
    animate.add_argument(
        "clip",
        metavar="VIDEO|FOLDER|FILE",
        help="a video; a folder of images, stored predictions or keypoints; a .json, .npz or .bvh file",
    )
    animate.add_argument("-o", "--output", required=True, metavar="FILE.blend")
    animate.add_argument(
        "--armature", metavar="FILE.blend[:NAME]", help="the rig to move (default: the person of the clip is built)"
    )
    animate.add_argument("--bvh", metavar="FILE.bvh", help="also write the motion as BVH")
    animate.add_argument(
        "--export", action="append", default=[], metavar="FILE.glb|.fbx|.usd", help="also write this file; repeatable"
    )
    animate.add_argument(
        "--fps",
        type=arguments.number(0.01, 10_000),
        metavar="N",
        help="frames per second (default: the video's; 25 for a folder)",
    )
    animate.add_argument("--start", type=arguments.number(0), default=0.0, metavar="SECONDS", help="where to begin (default: 0)")
    animate.add_argument(
        "--end", type=arguments.number(0), default=float("inf"), metavar="SECONDS", help="where to end (default: the end)"
    )
    animate.add_argument(
        "--person", type=arguments.number(0, kind=int), default=0, metavar="N", help="0 = who is seen longest, 1 = the next, ..."
    )
    animate.add_argument(
        "--smoothness", type=arguments.unit, default=0.4, metavar="0..1", help="from as predicted to floating (default: 0.4)"
    )
    _add_rig_options(animate)
    animate.add_argument("--no-foot-lock", action="store_true", help="let standing feet slide")
    animate.add_argument("--no-raw", action="store_true", help="do not keep the unfiltered take on a track of its own")
    _add_bone_options(animate)
    animate.add_argument("--keep", metavar="DIR", help="keep the predictions of the frames here, and use those that are here")
    _add_model_options(animate, box=False)
    _add_build_options(animate)

    batch = add("batch", "Many inputs: a folder, a list in a text file, or a pattern. Start it again to go on where it stopped.")
    batch.add_argument("source", metavar="FOLDER|LIST|PATTERN")
    batch.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="a folder of results for each input, and reports over all"
    )
    batch.add_argument(
        "--export", action="append", default=[], metavar="glb|fbx|usdc|bvh|…", help="also write this format; repeatable"
    )
    batch.add_argument("--no-blend", dest="blend", action="store_false", help="no .blend file of each result")
    batch.add_argument("--no-picture", dest="picture", action="store_false", help="no preview picture of each result")
    batch.add_argument("--library", metavar="FILE.blend", help="also gather all results in one file, on a grid, as assets")
    batch.add_argument(
        "--fps",
        type=arguments.number(0.01, 10_000),
        metavar="N",
        help="of clips (default: the video's; 25 for a folder of frames)",
    )
    batch.add_argument("--start", type=arguments.number(0), default=0.0, metavar="SECONDS", help="where clips begin (default: 0)")
    batch.add_argument(
        "--end", type=arguments.number(0), default=float("inf"), metavar="SECONDS", help="where clips end (default: the end)"
    )
    _add_separate(batch)
    batch.add_argument(
        "--people",
        type=arguments.number(0, kind=int),
        default=0,
        metavar="N",
        help="keep the N largest people of a photo (default: all)",
    )
    batch.add_argument(
        "--name", default="{stem}", metavar="PATTERN", help="of the results: {stem}, {parent}, {index}, {sha8} (default: {stem})"
    )
    batch.add_argument(
        "--jobs",
        type=arguments.number(1, kind=int),
        default=max(1, (os.cpu_count() or 2) - 1),
        metavar="N",
        help="processes beside the network's",
    )
    batch.add_argument(
        "--group",
        type=arguments.number(1, kind=int),
        default=8,
        metavar="N",
        help="photos per loading of a checkpoint (default: %(default)s)",
    )
    batch.add_argument("--resume", action="store_true", help="accepted for clarity: a batch always goes on where it stopped")
    batch.add_argument("--retry-failed", action="store_true", help="try inputs again that failed before")
    batch.add_argument(
        "--chunk", type=arguments.chunk, default=(1, 1), metavar="I/N", help="do only the I-th of N shares, for a render farm"
    )
    batch.add_argument(
        "--blender", default="", metavar="COMMAND", help="the Blender that writes the scenes (default: Python's own)"
    )
    batch.add_argument("--engine", choices=("local", "ray"), default="local", help="processes of this machine, or a Ray cluster")
    batch.add_argument("--address", metavar="HOST:PORT", help="of the Ray cluster (default: the one that Ray finds)")
    _add_model_options(batch, box=False)
    _add_build_options(batch)

    models = add("models", "The network's weights: list, download, import, verify.")
    actions = models.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what exists and what is installed", parents=[common])
    download = actions.add_parser("download", help="fetch weights from the Hugging Face Hub", parents=[common])
    download.add_argument("model", type=arguments.model, metavar="MODEL", help="0.4b, 0.8b, 1b or 5b")
    download.add_argument("--tasks", type=arguments.tasks, metavar="LIST")
    download.add_argument("--accept-license", action="store_true", help="you have read and accept the Sapiens2 License")
    imported = actions.add_parser("import", help="take weights from a folder or file on this machine", parents=[common])
    imported.add_argument("path", metavar="FOLDER|FILE")
    imported.add_argument("--link", action="store_true", help="link instead of copying")
    imported.add_argument("--accept-license", action="store_true", help="you have read and accept the Sapiens2 License")
    verify = actions.add_parser("verify", help="check the installed files", parents=[common])
    verify.add_argument("model", type=arguments.model, nargs="?", metavar="MODEL")

    add("doctor", "What this machine can do, and what is missing.")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status. Never raises for an expected failure."""
    from ..core.common.errors import SapiensError, UsageError

    grammar = parser()
    try:
        options = grammar.parse_args(argv)
    except SystemExit as leave:
        return int(leave.code or 0)
    from .console import Console

    if options.version:
        from ..core.common.version import VERSION

        Console().result(VERSION)
        return 0
    if options.command is None:
        grammar.print_help()
        return 2
    console = Console(as_json=options.json, quiet=options.quiet)
    try:
        import_module(f".{options.command}", __package__).run(options, console)
    except UsageError as error:
        console.failed(None, error)
        console.close()
        return 2
    except SapiensError as error:
        console.failed(None, error)
    except KeyboardInterrupt:
        console.failed(None, SapiensError("Stopped."))
    except BrokenPipeError:
        return 1
    return console.close()
