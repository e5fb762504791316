"""Run by test_batch_cluster: a batch on a Ray cluster of three nodes, one of which is killed while it works.

python cluster_script.py PHOTOS RESULTS SECONDS          prints one line of JSON about the node that was killed
"""

import faulthandler
import json
import os
import sys
import threading
import time
from pathlib import Path

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0", RAY_prestart_worker_first_driver="0")


def descendants(pid: int) -> list:
    import psutil

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def main(source: Path, output: Path) -> int:
    from ray.cluster_utils import Cluster

    from sapiens2_avatar.commands.cli import main as command

    store = 80 * 2**20
    head = {"num_cpus": 0, "object_store_memory": store, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    doomed, _ = (cluster.add_node(num_cpus=1, object_store_memory=store) for _ in range(2))
    raylet = doomed.all_processes["raylet"][0].process.pid
    killed: dict = {}

    def kill_when_it_works() -> None:
        """As soon as something is finished somewhere and the node has a worker process at work."""
        while not killed:
            busy = [p.pid for p in descendants(raylet) if "spawn_main" in " ".join(p.cmdline())]
            if busy and list(output.rglob("*.safetensors")):
                killed.update(pids=[p.pid for p in descendants(raylet)], busy=busy, done=len(list(output.rglob("*.glb"))))
                cluster.remove_node(doomed, allow_graceful=False)
            time.sleep(0.02)

    threading.Thread(target=kill_when_it_works, daemon=True).start()
    arguments = ["--address", cluster.address, "--group", "1", "--no-picture", "--export", "glb", "--quiet"]
    status = command(["batch", str(source), "-o", str(output), "--engine", "ray", *arguments])
    print(json.dumps({"status": status, **killed}), flush=True)
    cluster.shutdown()
    return status


if __name__ == "__main__":
    faulthandler.dump_traceback_later(float(sys.argv[3]), exit=True)
    code = main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(code)
