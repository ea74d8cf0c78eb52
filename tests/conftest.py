"""Session fixtures of the heavy things; each starts once, when the first test asks for it.

The run fails at its end if a process that it started is still there.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chexone_ray import runtime, storage
from chexone_ray.config import (
    EngineConfig,
    FilterConfig,
    ImageConfig,
    PrepareConfig,
    RayConfig,
    TinyModelConfig,
    loader,
)
from chexone_ray.downloads import download
from chexone_ray.s3_server import LocalS3

if TYPE_CHECKING:
    from chexone_ray.engine.pool import EnginePool

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "jobs" / "configs"
MARK = "CHEXONE_TEST_RUN"
LOGICAL_CPUS = 8
START_TIMEOUT_S = 400
LEFTOVER_WAIT_S = 20
KEPT_CACHES = ("torch_extensions", "vllm", "matplotlib")
"""Folders of the user's cache that runs share: compiling DeepSpeed's part alone takes a minute or
two of a processor, as the first training of a user on a machine does."""


@dataclass(frozen=True)
class Bucket:
    """The bucket of the running S3 server."""

    server: LocalS3
    uri: str

    def folder(self, name: str) -> str:
        """A URI in the bucket."""
        return storage.join(self.uri, name)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A running S3 server, its variables and a download cache of its own in the environment."""
    before = dict(os.environ)
    usual = Path(before.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = tmp_path_factory.mktemp("cache")
    for name in KEPT_CACHES:
        (usual / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(usual / name)
    os.environ["XDG_CACHE_HOME"] = str(cache)
    with LocalS3(tmp_path_factory.mktemp("s3")) as server:
        os.environ.update(server.environment())
        yield Bucket(server, server.create_bucket("chexone-test"))
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def ray_local(s3: Bucket) -> Iterator[None]:
    """A Ray of this process with 8 logical CPUs, whose workers reach the S3 server."""
    runtime.join(RayConfig(address="local", num_cpus=LOGICAL_CPUS, object_store_gb=1.0))
    yield
    runtime.leave()


@pytest.fixture(scope="session")
def tiny_model_uri(s3: Bucket) -> str:
    """A tiny Qwen2.5-VL with random weights."""
    from chexone_ray import tiny_model

    return tiny_model.build(TinyModelConfig(output_uri=s3.folder("tiny-model"), random=True))


@pytest.fixture(scope="session")
def archive_uri(s3: Bucket) -> str:
    """A phantom archive of 40 patients, with a few unusable files among the films."""
    from chexone_ray.data.archive import write_archive

    uri = s3.folder("archive")
    write_archive(uri, 40, seed=5, size=112, bad_files=True)
    return uri


@pytest.fixture(scope="session")
def manifest_uri(s3: Bucket, ray_local: None, archive_uri: str) -> str:
    """The manifest of the archive, with the settings of prepare.debug.toml."""
    from chexone_ray.data.build import prepare

    return prepare(debug_prepare(archive_uri, s3.folder("manifest")))


def debug_prepare(archive_uri: str, output_uri: str) -> PrepareConfig:
    """prepare.debug.toml on another archive; its unusable files are a large share of so few."""
    config = loader.load(PrepareConfig, loader.Arguments(config=(CONFIGS / "prepare.debug.toml",)))
    source = config.sources[0].model_copy(
        update={
            "uri": storage.join(archive_uri, "mimic-cxr-jpg"),
            "boxes_uri": storage.join(archive_uri, "vindr-cxr"),
        }
    )
    return config.model_copy(
        update={"sources": (source,), "output_uri": output_uri, "max_drop_share": 0.2}
    )


@pytest.fixture(scope="session")
def engine_config() -> EngineConfig:
    """The settings of the engine in the debug configurations, one engine."""
    path = CONFIGS / "filter.debug.toml"
    return loader.load(FilterConfig, loader.Arguments(config=(path,))).engine.model_copy(
        update={"max_engines": 1}
    )


@pytest.fixture(scope="session")
def image_config() -> ImageConfig:
    """Images of 112 x 112, as the tiny model takes them."""
    return ImageConfig(max_pixels=12_544)


@pytest.fixture(scope="session")
def live_engine() -> EngineConfig:
    """The settings of the two engines of `pool`."""
    return EngineConfig(
        num_gpus=0,
        num_cpus=1,
        threads=1,
        dtype="float32",
        max_model_len=640,
        max_num_seqs=64,
        kv_cache_mb=128,
        enforce_eager=True,
        lean=True,
        max_images=2,
        min_engines=2,
        max_engines=2,
        start_timeout_s=START_TIMEOUT_S,
        request_timeout_s=120,
    )


@pytest.fixture(scope="session")
def model_folder(tiny_model_uri: str) -> str:
    """A local copy of the tiny tied model with random weights."""
    return str(download(tiny_model_uri))


@pytest.fixture(scope="session")
def pool(
    ray_local: None, model_folder: str, live_engine: EngineConfig, image_config: ImageConfig
) -> Iterator[EnginePool]:
    """Two running vLLM engines for all tests; what weights they hold is up to the test before."""
    from chexone_ray.engine.pool import EnginePool

    with EnginePool(live_engine, model_folder, image_config) as engines:
        engines.wait_ready()
        yield engines


@pytest.fixture
def fresh(pool: EnginePool, model_folder: str) -> EnginePool:
    """The pool at the weights of the folder, whatever the test before left in it."""
    if pool.model_uri != model_folder or not pool.pristine:
        pool.load(model_folder)
    return pool


# --- no process stays behind ---------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Mark the environment, which every process that a test starts inherits."""
    os.environ[MARK] = uuid.uuid4().hex


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the run with an error when a process that it started is still there."""
    deadline = time.monotonic() + LEFTOVER_WAIT_S
    left = _leftover()
    while left and time.monotonic() < deadline:
        time.sleep(0.5)
        left = _leftover()
    if left:
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        for pid, command in left.items():
            reporter.write_line(f"ERROR left running: {pid} {command[:150]}", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _leftover() -> dict[int, str]:
    """Processes with this run's mark, without this one and Python's own resource tracker."""
    mark = f"{MARK}={os.environ.get(MARK, 'unset')}".encode()
    left = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) == os.getpid() or mark not in (folder / "environ").read_bytes():
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        if command and "resource_tracker" not in command:
            left[int(folder.name)] = command
    return left
