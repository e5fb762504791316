"""Motion from the frames of a synthetic walk, against its true joints: jitter, error, sliding feet.

    python benchmarks/motion.py [STUDIO/walk] [--fps N] [--smoothness S]

jitter = RMS acceleration of all joints over that of the truth; error = mean distance of body joints after the best rigid fit of
the whole clip, before and after filtering; slide = how far foot points move while they stand, on the person and on a rig with
longer thighs and shorter shanks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from measures.studio import STUDIO
from measures.walks import load_walk, measure
from sapiens2_avatar.core.motion.take import MotionSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("walk", type=Path, nargs="?", default=STUDIO / "walk")
    parser.add_argument("--fps", type=float, default=8.0, help="8 frames are one gait cycle of about a second")
    parser.add_argument("--smoothness", type=float, default=MotionSettings().smoothness)
    options = parser.parse_args()
    for label, suffix in (("exact", ""), ("degraded", ".degraded")):
        frames, truth = load_walk(options.walk, suffix)
        result = measure(frames, truth, options.fps, options.smoothness)
        print(label, " ".join(f"{k}={v:.3g}" for k, v in result.items()))


if __name__ == "__main__":
    main()
