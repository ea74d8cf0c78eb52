"""Runs the stages of the demo in order, skips those that are complete, and writes the summary.

A stage that is complete has left `stages/<name>.json`; an interrupted run therefore goes on at the
first stage without one. A run that reached its summary starts over.
"""

from __future__ import annotations

import json
import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chexone_ray.config import DemoConfig
from chexone_ray.demo import outcome, stages
from chexone_ray.demo.recipe import Configs, Recipe, load
from chexone_ray.demo.session import Session
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY

logger = logging.getLogger(__name__)

HEARTBEAT_S = 30.0


class Clock:
    """Wall seconds of a run, those of interrupted calls included to within a heartbeat."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "spent.json"
        self._earlier = json.loads(self._file.read_text()) if self._file.exists() else 0.0
        self._begun = time.monotonic()

    def total_s(self) -> float:
        """Seconds up to now."""
        return float(self._earlier) + time.monotonic() - self._begun

    def save(self) -> None:
        """Keep the total for a later call."""
        _write(self._file, round(self.total_s(), 1))


@dataclass
class Run:
    """What a stage is given: settings, live things, results of stages before, a stop-watch."""

    config: DemoConfig
    recipe: Recipe
    configs: Configs
    folder: Path
    session: Session
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    ahead: dict[str, Future[None]] = field(default_factory=dict)
    starting_s: float = 0.0

    def is_done(self, name: str) -> bool:
        """True where the stage has completed, in this or an earlier call."""
        return name in self.results

    def started(self, seconds: float) -> None:
        """Count seconds that the current stage spent starting processes."""
        self.starting_s += seconds


def run(config: DemoConfig) -> int:
    """`chexone demo`: exit code 0 where every check passed, else 1. Research use only.

    Raises:
        ChexoneError: a stage would refuse the recipe, the run folder holds something else, or
            another demo is using it.
    """
    folder = Path(config.output).absolute()
    recipe = load(config.quick, config.recipe)
    configs = Configs(recipe, config.seed)
    with _locked(folder, config, recipe):
        clock = Clock(folder)
        results = _completed(folder)
        session = Session(folder, configs)
        try:
            current = Run(config, recipe, configs, folder, session, results)
            with _interruptible():
                _all_stages(current, clock)
            summary = outcome.write(folder, config, recipe, configs, results, clock.total_s())
        finally:
            clock.save()
            session.close()
    _say(folder, summary)
    return 0 if summary["passed"] else 1


def _all_stages(run: Run, clock: Clock) -> None:
    for number, (name, function) in enumerate(stages.STAGES.items(), start=1):
        title = f"[{number}/{len(stages.STAGES)}] {name}"
        if run.is_done(name):
            logger.info("%s: complete already", title)
            continue
        logger.info("%s: %s", title, stages.told(name, run.recipe))
        start = clock.total_s()
        run.starting_s = 0.0
        with heartbeat(title, clock):
            result = function(run) or {}
        seconds = clock.total_s() - start
        done = {**result, "start": start, "seconds": seconds, "starting": run.starting_s}
        run.results[name] = done
        _write(run.folder / "stages" / f"{name}.json", done)
        logger.info("%s: done in %.0f s", title, seconds)


class _LastLine(logging.Handler):
    """When anything was last logged."""

    def __init__(self) -> None:
        super().__init__()
        self.at = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        self.at = time.monotonic()


@contextmanager
def heartbeat(title: str, clock: Clock) -> Iterator[None]:
    """A line where nothing was logged for half a minute, so that nobody wonders whether it hangs;
    the time spent is saved as often."""
    ended = threading.Event()
    start = clock.total_s()
    last = _LastLine()

    def beat() -> None:
        saved = time.monotonic()
        while not ended.wait(HEARTBEAT_S / 10):
            now = time.monotonic()
            if now - saved >= HEARTBEAT_S:
                clock.save()
                saved = now
            if now - last.at >= HEARTBEAT_S:
                logger.info("%s: working, %.0f s so far", title, clock.total_s() - start)

    logging.getLogger().addHandler(last)
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)
        logging.getLogger().removeHandler(last)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C."""

    def raise_interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, raise_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _locked(folder: Path, config: DemoConfig, recipe: Recipe) -> Iterator[None]:
    """Take the run folder for this process; start over where the last run reached its end."""
    import fcntl

    marker = folder / "demo.json"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise ChexoneError(
            f"{folder} holds something that is not a demo run: choose another --output"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ChexoneError(
                f"another demo is running in {folder}: wait, or choose --output"
            ) from error
        settings = {"seed": config.seed, "recipe": recipe.model_dump(mode="json")}
        if marker.exists() and (
            (folder / "summary.json").exists() or json.loads(marker.read_text()) != settings
        ):
            logger.info("starting over in %s", folder)
            _clear(folder)
        _write(marker, settings)
        yield


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "lock":
            entry.unlink()


def _completed(folder: Path) -> dict[str, dict[str, Any]]:
    (folder / "stages").mkdir(exist_ok=True)
    found = {name: folder / "stages" / f"{name}.json" for name in stages.STAGES}
    return {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}


def _write(path: Path, value: object) -> None:
    """Atomic: a killed run leaves the old file or the new one."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(value, indent=1) + "\n")
    draft.replace(path)


def _say(folder: Path, summary: dict[str, Any]) -> None:
    for check in summary["checks"]:
        logger.info(
            "%s %-76s %-8s %-8.4g reached %.4g",
            "passed" if check["passed"] else "FAILED",
            check["name"],
            check["direction"],
            check["threshold"],
            check["reached"],
        )
    logger.info("%.1f minutes; see %s", summary["seconds"]["total"] / 60, folder / "report.html")
    logger.info("%s", RESEARCH_USE_ONLY)


StageFunction = Callable[[Run], "dict[str, Any] | None"]
