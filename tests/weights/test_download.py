"""Fetching weights from servers that speak the Hub's file interface: a hub that redirects to a store, as the real one does.

Both run on this machine; the connection is cut, the content damaged, the file replaced.
"""

import hashlib
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from safetensors.numpy import save

pytest.importorskip("huggingface_hub", reason="downloads need huggingface_hub")

from sapiens2_avatar.core.common.errors import Cancelled, SapiensError
from sapiens2_avatar.core.common.file_lock import file_lock
from sapiens2_avatar.weights import catalogue, download, licence, store
from sapiens2_avatar.weights.catalogue import CHECKPOINTS, find_checkpoint
from sapiens2_avatar.weights.download import download_model
from sapiens2_avatar.weights.store import read_provenance, verify_model

WIDTH, ROWS = 8, 5000
COMMIT = "c0ffee" + "0" * 34


def weights_file(task, seed=0):
    values = np.random.default_rng(seed).standard_normal((ROWS, WIDTH)).astype(np.float32)
    return save({"backbone.cls_token": np.zeros((1, 1, WIDTH), np.float32), f"decode_head.conv_{task}.weight": values})


class Hub:
    """files: "repository/name" -> bytes. What the store sends is `sent` where it differs, at most `cut` bytes per connection."""

    def __init__(self):
        self.files, self.sent = {}, {}
        self.cut: list[int] = []
        self.requests: list[tuple[str, str, str]] = []
        self.ranges = True
        self.status: list[int] = []
        self.hide_hash = False
        self.store = _serve(self, _Store)
        self.hub = _serve(self, _Hub)
        self.endpoint = f"http://127.0.0.1:{self.hub.server_port}"

    def close(self):
        for server in (self.hub, self.store):
            server.shutdown()
            server.server_close()

    def fetches(self):
        """(path, range) of each request for content."""
        return [(path, span) for method, path, span in self.requests if method == "GET" and path.startswith("/store/")]


def _serve(state, handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"state": state}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer("HEAD")

    def do_GET(self):
        self.answer("GET")

    def refuse(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Hub(_Quiet):
    """/{owner}/{repository}/resolve/{revision}/{name}: the commit, hash and size, and where the content is."""

    def answer(self, method):
        self.state.requests.append((method, self.path, self.headers.get("Range", "")))
        found = re.fullmatch(r"/(facebook/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        repository, revision, name = found.groups() if found else ("", "", "")
        if not any(key.startswith(f"{repository}/") for key in self.state.files):
            return self.refuse(404, X_Error_Code="RepoNotFound")
        content = self.state.files.get(f"{repository}/{name}")
        if content is None or revision not in ("main", COMMIT):
            return self.refuse(404, X_Error_Code="EntryNotFound")
        digest = hashlib.sha256(content).hexdigest()
        return self.refuse(
            302,
            X_Repo_Commit=COMMIT,
            X_Linked_Etag=f'"{"" if self.state.hide_hash else digest}"',
            X_Linked_Size=str(len(content)),
            Location=f"http://127.0.0.1:{self.state.store.server_port}/store/{repository}/{name}?signature=secret",
        )


class _Store(_Quiet):
    """Sends content, a range of it if asked, and closes the connection early as told."""

    def answer(self, method):
        span = self.headers.get("Range", "")
        self.state.requests.append((method, self.path, span))
        if self.state.status:
            return self.refuse(self.state.status.pop(0))
        key = self.path.split("?")[0].removeprefix("/store/")
        content = self.state.sent.get(key, self.state.files[key])
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span and self.state.ranges else 0
        if start >= len(content):
            return self.refuse(416)
        body = content[start:]
        self.send_response(206 if span and self.state.ranges else 200)
        if span and self.state.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.state.cut:
            body = body[: self.state.cut.pop(0)]
            self.close_connection = True
        self.wfile.write(body)
        return None


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("SAPIENS2_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SAPIENS2_MODELS", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(catalogue.SIZES, "0.4b", WIDTH)
    for (model, task), checkpoint in list(CHECKPOINTS.items()):
        if model == "0.4b":
            monkeypatch.setitem(CHECKPOINTS, (model, task), replace(checkpoint, parameters=WIDTH + ROWS * WIDTH))
    monkeypatch.setattr(download, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(download, "REPORT_BYTES", 4096)
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    for task in ("pose", "seg"):
        server.files[f"facebook/sapiens2-{task}-0.4b/sapiens2_0.4b_{task}.safetensors"] = weights_file(task)
    yield server
    server.close()


POSE = "facebook/sapiens2-pose-0.4b/sapiens2_0.4b_pose.safetensors"


def fetch(*tasks, **options):
    return download_model("0.4b", tasks or ("pose",), **{"online": True, "accept_licence": True, **options})


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_file_arrives_whole_and_is_written_down(hub):
    seen = []
    (row,) = fetch(progress=lambda *report: seen.append(report))
    assert row.path.read_bytes() == hub.files[POSE]
    assert row.path == find_checkpoint("0.4b", "pose")
    record = read_provenance(row.path)
    assert record.sha256 == hashlib.sha256(hub.files[POSE]).hexdigest()
    assert record.revision == COMMIT
    assert "signature" not in record.source
    assert {label for label, _ in seen} == {"0.4b pose"}
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert verify_model("0.4b")[0].ok
    assert visible(row.path.parent) == [row.path.name, f"{row.path.name}.json"]


def test_installed_file_is_not_fetched_again(hub):
    fetch()
    before = len(hub.requests)
    rows = fetch("pose", "seg")
    assert [row.task for row in rows] == ["pose", "seg"]
    assert all("seg" in path for _, path, _ in hub.requests[before:])
    assert download_model("0.4b", ("pose", "seg")) == rows


def test_no_request_leaves_while_offline(hub):
    with pytest.raises(SapiensError, match="offline") as caught:
        fetch(online=False)
    assert "models import" in caught.value.hint
    assert "huggingface.co/facebook/sapiens2-pose-0.4b" in caught.value.hint
    assert hub.requests == []


def test_no_request_leaves_before_the_licence_is_accepted(hub):
    with pytest.raises(SapiensError, match="licence"):
        fetch(accept_licence=False)
    assert hub.requests == []
    assert not licence.is_accepted()
    fetch()
    assert fetch("seg", accept_licence=False)


@pytest.mark.parametrize("cuts", [[70_000], [1, 1, 100_000], [0, 50_000, 0, 50_000], [30_000] * 5])
def test_cut_connection_is_resumed(hub, cuts):
    hub.cut = list(cuts)
    (row,) = fetch()
    assert row.path.read_bytes() == hub.files[POSE]
    spans = [span for _, span in hub.fetches()]
    starts = [int(span[6:-1]) if span else 0 for span in spans]
    assert len(starts) == len(cuts) + 1
    assert starts == [min(sum(cuts[:i]), len(hub.files[POSE])) for i in range(len(starts))]


def test_download_goes_on_after_the_program_ended(hub, monkeypatch):
    hub.cut = [60_000, 0, 0, 0, 0]
    with pytest.raises(SapiensError, match=r"stopped at 37 %|stopped at 37%") as caught:
        fetch()
    assert "goes on where it stopped" in caught.value.hint
    assert find_checkpoint("0.4b", "pose") is None
    hub.cut = []
    (row,) = fetch()
    assert hub.fetches()[-1][1] == "bytes=60000-"
    assert row.path.read_bytes() == hub.files[POSE]


def test_cancelled_download_goes_on(hub):
    asked = iter([False] + [True] * 5)
    with pytest.raises(Cancelled):
        fetch(cancel=lambda: next(asked))
    assert find_checkpoint("0.4b", "pose") is None
    fetch()
    start = int(hub.fetches()[-1][1][6:-1])
    assert 0 < start < len(hub.files[POSE])


def test_server_without_ranges_starts_over(hub):
    hub.ranges = False
    hub.cut = [50_000]
    (row,) = fetch()
    assert row.path.read_bytes() == hub.files[POSE]


def test_new_version_does_not_continue_the_old_one(hub):
    hub.cut = [60_000, 0, 0, 0, 0]
    with pytest.raises(SapiensError):
        fetch()
    hub.cut = []
    hub.files[POSE] = weights_file("pose", seed=1)
    (row,) = fetch()
    assert row.path.read_bytes() == hub.files[POSE]


@pytest.mark.parametrize("damage", ["flipped", "other file"])
def test_wrong_hash_is_refused_and_nothing_stays(hub, damage):
    content = bytearray(hub.files[POSE])
    content[-100] ^= 4
    hub.sent[POSE] = bytes(content) if damage == "flipped" else weights_file("pose", seed=3)
    with pytest.raises(SapiensError, match="damaged"):
        fetch()
    assert find_checkpoint("0.4b", "pose") is None
    assert visible(catalogue.models_folder()) == []
    hub.sent.clear()
    assert fetch()[0].path.read_bytes() == hub.files[POSE]


def test_longer_content_than_announced_is_cut(hub):
    hub.sent[POSE] = hub.files[POSE] + b"more"
    assert fetch()[0].path.read_bytes() == hub.files[POSE]


def test_shorter_content_than_announced_is_refused(hub):
    hub.sent[POSE] = hub.files[POSE][:-10]
    with pytest.raises(SapiensError, match="less of the file"):
        fetch()
    assert visible(catalogue.models_folder()) == []


def test_other_network_than_announced_is_refused(hub):
    hub.files[POSE] = weights_file("normal")
    with pytest.raises(SapiensError, match=r"is not the pose file of 0.4b"):
        fetch()
    assert visible(catalogue.models_folder()) == []


def test_file_under_its_other_name_is_found(hub):
    hub.files[POSE.replace("sapiens2_0.4b_pose", "model")] = hub.files.pop(POSE)
    (row,) = fetch()
    assert row.path.name == "sapiens2_0.4b_pose.safetensors"


def test_missing_file_and_repository_are_said(hub):
    hub.files[POSE.replace("sapiens2_0.4b_pose.safetensors", "README.md")] = hub.files.pop(POSE)
    with pytest.raises(SapiensError, match=r"has no sapiens2_0.4b_pose"):
        fetch()
    hub.files.clear()
    with pytest.raises(SapiensError, match=r"The Hub refuses facebook/sapiens2-pose-0.4b"):
        fetch()


def test_server_without_hash_is_refused(hub):
    hub.hide_hash = True
    with pytest.raises(SapiensError, match="SHA-256"):
        fetch()
    assert hub.fetches() == []


def test_busy_server_is_asked_again(hub):
    hub.status = [503, 500, 429]
    (row,) = fetch()
    assert row.path.read_bytes() == hub.files[POSE]


def test_forbidden_content_is_not_asked_again(hub):
    hub.status = [403]
    with pytest.raises(SapiensError, match="refuses the file"):
        fetch()
    assert len(hub.fetches()) == 1


def test_server_that_is_not_there_is_said(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SapiensError, match="cannot be reached"):
        fetch()


def test_second_download_of_the_same_file_waits_its_turn(hub):
    store.make_models_folder()
    with (
        file_lock(catalogue.models_folder() / ".sapiens2_0.4b_pose.safetensors.lock"),
        pytest.raises(SapiensError, match="another program"),
    ):
        fetch()


def test_full_disk_is_noticed_before_the_download(hub, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(SapiensError, match="GB free"):
        fetch()
    assert hub.fetches() == []


@pytest.mark.parametrize(
    ("model", "tasks", "message"),
    [
        ("2b", None, "no model named"),
        ("preview", None, "built in"),
        ("0.4b", ("matting",), "No 0.4b weights for matting were published"),
        ("0.4b", ("albedo",), "were published"),
        ("0.1b", None, "bare backbone"),
    ],
)
def test_what_was_not_published_is_said(hub, model, tasks, message):
    with pytest.raises(SapiensError, match=message):
        download_model(model, tasks, online=True, accept_licence=True)
    assert hub.requests == []
