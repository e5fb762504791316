"""Run by test_cluster: a batch on a Ray cluster of three nodes, one of which is killed while it works.

python cluster_script.py PHOTOS RESULTS SECONDS POINT    prints one line of JSON about the node that was killed

The processes of all nodes stop at POINT (held_batch.py); the node whose process stands there is the one that is lost.
"""

import faulthandler
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.held_worker import POINTS, Points, wait_until

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0", RAY_prestart_worker_first_driver="0")


def descendants(pid: int) -> list:
    import psutil

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def main(source: Path, output: Path, seconds: float, point: str) -> int:
    from ray.cluster_utils import Cluster

    from sapiens2_avatar.commands.cli import main as command

    store = 80 * 2**20
    head = {"num_cpus": 0, "object_store_memory": store, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=store) for _ in range(2)]
    points = Points(Path(os.environ[POINTS]))
    points.hold(point)
    killed: dict = {}

    def kill_when_it_works() -> None:
        """When something is finished somewhere and a process stands at the point: its node."""
        wait_until(lambda: points.reached and list(output.rglob("*.safetensors")), seconds)
        for node in nodes:
            family = [process.pid for process in descendants(node.all_processes["raylet"][0].process.pid)]
            if points.reached in family:
                killed.update(pids=family, there=sorted(path.name for path in output.rglob("*.safetensors")))
                cluster.remove_node(node, allow_graceful=False)
        points.release()

    threading.Thread(target=kill_when_it_works, daemon=True).start()
    arguments = ["--address", cluster.address, "--group", "1", "--no-picture", "--export", "glb", "--quiet"]
    status = command(["batch", str(source), "-o", str(output), "--engine", "ray", *arguments])
    print(json.dumps({"status": status, **killed}), flush=True)
    cluster.shutdown()
    return status


if __name__ == "__main__":
    faulthandler.dump_traceback_later(float(sys.argv[3]), exit=True)
    code = main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
    sys.stdout.flush()
    os._exit(code)
