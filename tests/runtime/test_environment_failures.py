"""What a network, a disk or a person can do to the installation of the runtime: each is one sentence, and it works afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sapiens2_avatar.core.common.errors import REMEDIES, SapiensError
from sapiens2_avatar.runtime import environment
from sapiens2_avatar.runtime.environment import check_interpreter, installed_python


def refused(small, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://packages.example/simple")


def refused_tunnel(small, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://packages.example/simple")


def proxy_with_password(small, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", small.url)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://packages.example/simple")


def no_network(small, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://no-such-host.invalid/simple")


def server_gone(small, monkeypatch):
    small.server.shutdown()
    small.server.server_close()


def forbidden(small, monkeypatch):
    small.status = 403


def damaged(small, monkeypatch):
    environment.LOCK.write_text("library==1.0 --hash=sha256:" + 64 * "0" + "\n")


@pytest.mark.parametrize(
    ("cause", "sentence", "hint"),
    [
        (refused, r"The proxy of this connection refuses|The connection to the internet broke", "then install again"),
        (refused_tunnel, "The proxy of this connection refuses the connection", "HTTPS_PROXY"),
        (proxy_with_password, "asks for a name and a password", "HTTPS_PROXY"),
        (no_network, "no-such-host.invalid cannot be found: there is no connection", "it goes on where it stopped"),
        (server_gone, "The connection to the internet broke", "it goes on where it stopped"),
        (forbidden, r"refuses the request \(403 Forbidden\)", "folder with the files"),
        (damaged, "library==1.0 arrived damaged", "Install again"),
    ],
)
def test_what_the_network_does_is_one_sentence_and_it_works_afterwards(small, monkeypatch, cause, sentence, hint):
    good = environment.LOCK.read_text()
    with monkeypatch.context() as during:
        cause(small, during)
        with pytest.raises(SapiensError, match=sentence) as caught:
            small.run()
    error = caught.value
    assert error.message.count(". ") == 0 and error.message.endswith(".") and len(error.message) < 120
    assert hint in error.hint and error.remedy in REMEDIES
    assert installed_python(small.home) is None and small.log.stat().st_size
    if cause is not server_gone:
        small.status = 200
        environment.LOCK.write_text(good)
        assert small.run().is_file()


def test_certificate_that_nobody_knows_is_said(small, monkeypatch, tmp_path):
    import ssl

    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    )
    names = "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    small.server.socket = context.wrap_socket(small.server.socket, server_side=True)
    monkeypatch.setenv("UV_DEFAULT_INDEX", small.url.replace("http:", "https:") + "/simple")
    with pytest.raises(SapiensError, match="The certificate of this connection is not known to this computer") as caught:
        small.run()
    assert "SSL_CERT_FILE" in caught.value.hint
    assert small.log.read_text().count("error:") == 2, "not tried with the certificates of the system"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert small.run().is_file()


@pytest.fixture
def disk(tmp_path):
    """Function: options of a file system in memory -> the folder where it is mounted."""
    mounted = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk {len(mounted)}"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True).returncode:
            pytest.skip("file systems cannot be mounted here")
        mounted.append(folder)
        return folder

    if not shutil.which("mount") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a disk that is full or read-only")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_is_said_and_with_space_it_goes_on(small, disk, tmp_path):
    small.home = disk("size=2m") / "runtime"
    with pytest.raises(SapiensError, match="The disk is full") as caught:
        small.run()
    assert caught.value.remedy == "preferences" and installed_python(small.home) is None
    subprocess.run(["mount", "-o", "remount,size=40m", str(small.home.parent)], check=True)
    assert small.run().is_file()


def test_too_little_space_is_noticed_before(small, monkeypatch):
    monkeypatch.setattr(environment, "DISK_GIGABYTES", (1e9, 1e9))
    with pytest.raises(SapiensError, match="GB free, the runtime needs"):
        small.run()
    assert not small.fetched


def test_folder_that_cannot_be_written_is_said(small, disk):
    small.home = disk("ro") / "runtime"
    with pytest.raises(SapiensError, match="cannot be written: Read-only file system") as caught:
        small.run()
    assert caught.value.remedy == "preferences"


def test_file_in_the_place_of_the_folder_is_said(small):
    small.home.parent.mkdir()
    small.home.write_text("I am a file")
    with pytest.raises(SapiensError, match="cannot be written"):
        small.run()


class TestChosenPython:
    def test_one_with_everything_passes(self, monkeypatch):
        monkeypatch.setattr(environment, "MODULES", ("numpy",))
        check_interpreter(Path(sys.executable))

    def test_missing_packages_are_named(self, small, monkeypatch):
        small.run()
        monkeypatch.setattr(environment, "MODULES", ("torch", "timm", "scipy", "cv2"))
        with pytest.raises(SapiensError, match="The chosen Python has no timm, scipy, cv2") as caught:
            check_interpreter(installed_python(small.home))
        assert caught.value.remedy == "preferences"

    def test_an_old_one_is_said(self):
        places = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path("/usr/bin")]
        candidates = [p for place in places for name in ("2.7*", "3.[6-9]*", "3.10*") for p in place.glob(f"{name}/bin/python")]
        candidates += [Path(p) for v in ("2.7", "3.8", "3.9", "3.10") if (p := shutil.which(f"python{v}"))]
        working = [p for p in candidates if not subprocess.run([p, "-c", ""], capture_output=True).returncode]
        if not working:
            pytest.skip("no Python older than 3.11 on this machine")
        for python in working:
            with pytest.raises(SapiensError, match=r"The chosen Python is \d\.\d+, it has to be 3\.11 or newer") as caught:
                check_interpreter(python)
            assert caught.value.remedy == "preferences"

    @pytest.mark.parametrize("content", [None, "not a program", "#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 3\n"])
    def test_what_is_no_python_is_said(self, tmp_path, content):
        path = tmp_path / "python"
        if content is not None:
            path.write_text(content)
            path.chmod(0o755)
        with pytest.raises(SapiensError, match="is not a Python that starts"):
            check_interpreter(path)
