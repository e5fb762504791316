"""The same batch on a Ray cluster of several nodes on this machine, one of which is killed midway."""

import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("bpy")
pytest.importorskip("torch", reason="a batch of photos needs the network")
ray = pytest.importorskip("ray", reason="the Ray engine is an optional extra")
Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

from sapiens2_avatar.batch.cluster import run_ray  # noqa: E402
from sapiens2_avatar.batch.engine import run_local  # noqa: E402
from sapiens2_avatar.batch.items import make_items  # noqa: E402
from sapiens2_avatar.batch.plan import Plan  # noqa: E402
from sapiens2_avatar.batch.stages import Job  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample_photo.jpg"
PLAN = Plan(make=("predictions", "blend", ".glb"))


def jobs(source, output):
    items = make_items(sorted(source.iterdir()))
    return [Job(item, output / item.name, PLAN.stages(item)) for item in items]


def results(output):
    return {p.relative_to(output).as_posix(): p.read_bytes() for p in output.rglob("*") if p.suffix in (".safetensors", ".glb")}


@pytest.fixture
def photos(tmp_path):
    if not SAMPLE.exists():
        pytest.skip("the built-in photo is not there")
    folder = tmp_path / "in"
    folder.mkdir()
    image = Image.open(SAMPLE).convert("RGB")
    image = image.resize((216, round(216 * image.height / image.width)))
    for i in range(4):
        image.crop((i, i, image.width - i, image.height - i)).save(folder / f"{i}.png")
    return folder


@pytest.mark.slow
def test_a_lost_node_s_work_is_done_by_the_others(photos, tmp_path):
    from ray.cluster_utils import Cluster

    expected = dict.fromkeys(f"{i}" for i in range(4))
    assert {job.item.name: error for job, error in run_local(jobs(photos, tmp_path / "local"), PLAN)} == expected

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        doomed = [cluster.add_node(num_cpus=1) for _ in range(2)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level=40)

        def kill_when_work_has_begun():
            while not list((tmp_path / "ray").rglob("*.safetensors")):
                time.sleep(0.05)
            cluster.remove_node(doomed[0], allow_graceful=False)

        killer = threading.Thread(target=kill_when_work_has_begun, daemon=True)
        killer.start()
        outcome = {job.item.name: error for job, error in run_ray(jobs(photos, tmp_path / "ray"), PLAN, cluster.address, group=1)}
        killer.join(30)
        assert not killer.is_alive(), "the node was not killed while there was work"
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert outcome == expected
    assert results(tmp_path / "ray") == results(tmp_path / "local")
