"""Each check of `chexone doctor` in both directions, on the real machine where it can be."""

from __future__ import annotations

import importlib.metadata
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from chexone_ray import cli, doctor


def test_the_installed_set_is_the_lock() -> None:
    finding = doctor.versions(doctor.REQUIREMENTS)
    assert finding.state == "ok", finding.message


def test_a_wrong_version_is_named_with_the_remedy(tmp_path: Path) -> None:
    numpy = importlib.metadata.version("numpy")
    lock = tmp_path / f"{doctor.flavour()}.txt"
    lock.write_text(
        f"# a comment\nnumpy=={numpy}\n    # via x\nnumpy==0.1 ; sys_platform == 'win32'\n"
        "pydantic==1.0\nno-such-package==2\n"
    )
    finding = doctor.versions(tmp_path)
    assert finding.state == "FAIL"
    assert "pydantic==1.0 (found " in finding.message
    assert "no-such-package==2 (found absent)" in finding.message
    assert "numpy" not in finding.message and "make setup" in finding.message
    lock.write_text(f"numpy=={numpy}\n")
    assert doctor.versions(tmp_path).message.startswith("1 packages")
    assert doctor.versions(tmp_path / "absent").state == "skip"


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10), "FAIL"), ((3, 11), "ok"), ((3, 12), "ok"), ((3, 13), "FAIL")],
)
def test_python(version: tuple[int, int], state: str) -> None:
    assert doctor.python_version(version).state == state


def test_a_port_in_use_is_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert doctor.port(number, "a test").state == "FAIL"
    assert doctor.port(number, "a test").state == "ok"


def test_small_disk_and_shared_memory_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = shutil.disk_usage("/")._replace(total=64 * 10**6, free=3 * 10**9)
    monkeypatch.setattr("chexone_ray.doctor.shutil.disk_usage", lambda _: small)
    assert doctor.disk(tmp_path).text().startswith("FAIL  disk")
    assert "3 GB free, wanted 12" in doctor.disk(tmp_path).message
    assert "--shm-size" in doctor.shared_memory(tmp_path).message
    assert doctor.shared_memory(tmp_path / "absent").state == "FAIL"


def test_a_missing_compiler_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.compiler().state == "FAIL"


def test_object_storage(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = s3.folder("doctor")
    assert doctor.object_storage(folder).state == "ok"
    assert doctor.object_storage(str(tmp_path)).state == "ok" and not list(tmp_path.iterdir())
    assert doctor.object_storage(None).message == "S3 answers, 1 buckets"
    wrong = doctor.object_storage("s3://no-such-bucket/x")
    assert wrong.state == "FAIL" and "does not exist" in wrong.message
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert doctor.object_storage(folder).state == "FAIL"
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    assert doctor.object_storage(None).state == "skip"


def test_the_report_ends_with_1_when_a_check_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.main(["doctor", "--no-smoke", "--uri", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert code == int(any(line.startswith("FAIL") for line in lines))
    assert cli.main(["doctor", "--no-smoke", "--uri", "s3://"]) == 1
    assert "FAIL  storage" in capsys.readouterr().out


@pytest.mark.slow
def test_the_vllm_smoke_load() -> None:
    finding = doctor.vllm_smoke()
    assert finding.state == "ok", finding.message
