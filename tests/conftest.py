"""Session fixtures of the heavy things; each starts once, when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chexone_ray import storage
from chexone_ray.s3 import prepare_environment
from chexone_ray.s3_server import LocalS3


class TestServer:
    """A running S3 server; `uri` is its bucket."""

    def __init__(self, server: LocalS3, uri: str) -> None:
        self.server = server
        self.uri = uri

    def folder(self, name: str) -> str:
        """A URI in the bucket."""
        return storage.join(self.uri, name)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """The S3 server, with its variables and a private download cache in this process' environment."""
    before = dict(os.environ)
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    with LocalS3(tmp_path_factory.mktemp("s3")) as server:
        os.environ.update(server.environment())
        yield TestServer(server, server.create_bucket("chexone-test"))
    os.environ.clear()
    os.environ.update(before)


__all__ = ["Path", "prepare_environment"]
