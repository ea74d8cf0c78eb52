"""The `chexone` command: one sub-command of one or two words a stage, and `doctor`.

Parses and checks everything before torch, Ray or vLLM are imported. Exit codes: 0; 1 for a failed
check or a crash; 2 for what the user can put right (one line on standard error); 130 for Ctrl-C.
"""

from __future__ import annotations

import importlib
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from chexone_ray import __version__
from chexone_ray.config import STAGES, Settings, loader, setting_texts
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY, configure

logger = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)

FUNCTIONS = {
    "prepare": "chexone_ray.data.build:prepare",
    "trace": "chexone_ray.trace:trace",
    "tiny-model": "chexone_ray.tiny_model:build",
    "sft": "chexone_ray.sft:train",
    "filter": "chexone_ray.variance:select",
    "grpo": "chexone_ray.grpo.driver:train",
    "predict": "chexone_ray.predict:predict",
    "evaluate": "chexone_ray.evaluation.run:evaluate",
    "rexrank import": "chexone_ray.exchange.rexrank:import_board",
    "rexrank export": "chexone_ray.exchange.rexrank:export",
    "rexrank validate": "chexone_ray.exchange.rexrank:validate_files",
    "rexvqa export": "chexone_ray.exchange.rexvqa:export",
    "results import": "chexone_ray.exchange.results:import_results",
    "figures": "chexone_ray.figures.draw:draw",
    "probe": "chexone_ray.probing.run:probe",
    "serve": "chexone_ray.serving.openai:serve",
    "demo": "chexone_ray.demo:run",
}
# What can be wrong before Ray is joined or anything else starts.
CHECKS = {
    "prepare": "chexone_ray.data.check:answer",
    "filter": "chexone_ray.checkpoints:check",
    "grpo": "chexone_ray.checkpoints:check",
    "predict": "chexone_ray.predict:check",
    "evaluate": "chexone_ray.evaluation.run:check",
    "probe": "chexone_ray.checkpoints:check",
    "serve": "chexone_ray.serving.openai:check",
}
"""Functions of the settings; a number ends the command with that exit code."""
HELP = ("-h", "--help", "help")
FLAGS = "[--config A.toml B.toml ...] [--KEY VALUE ...] [--print-config]"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `chexone`; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _command(words))


def _command(words: list[str]) -> int:
    if words[1:] and words[0] in HELP and not words[1].startswith("-"):
        words = [*words[1:], "--help"]  # `help sft`
    if not words or words[0] in HELP:
        sys.stdout.write(_overview(STAGES))
        return 0
    stage, *rest = words
    if rest and f"{stage} {rest[0]}" in STAGES:
        stage, *rest = f"{stage} {rest[0]}", *rest[1:]
    if stage in ("--version", "version"):
        sys.stdout.write(f"chexone-ray {__version__}\n")
        return 0
    if stage == "doctor":
        from chexone_ray import doctor

        return doctor.run(rest)
    if stage not in STAGES:
        of_it = {name: STAGES[name] for name in STAGES if name.startswith(f"{stage} ")}
        if of_it and rest and rest[0] in HELP:
            sys.stdout.write(_overview(of_it))
            return 0
        names = ", ".join(of_it or [*STAGES, "doctor"])
        raise ChexoneError(f"{stage}: no such command; choose from {names}")
    config = load(stage, STAGES[stage], rest)
    if config is None:
        return 0
    return run(stage, config)


def load(stage: str, model: type[S], argv: Sequence[str]) -> S | None:
    """The settings from a command line; None when --help or --print-config was answered."""
    arguments = loader.parse(argv)
    if arguments.help:
        sys.stdout.write(_stage_help(stage, model))
        return None
    config = loader.load(model, arguments)
    if arguments.print_config:
        sys.stdout.write(config.model_dump_json(indent=2) + "\n")
        return None
    configure()
    logger.info("%s", RESEARCH_USE_ONLY)
    return config


def run(stage: str, config: Settings) -> int:
    """Check, run the stage, which joins Ray once it needs it, and print its URI."""
    function = stage_function(stage)
    if stage in CHECKS:
        answer = _imported(CHECKS[stage])(config)
        if isinstance(answer, int):
            return answer
    result = function(config)
    if isinstance(result, str):
        sys.stdout.write(result + "\n")
    return result if isinstance(result, int) else 0


def stage_function(stage: str) -> Callable[[Any], Any]:
    """The function of a stage; imports what it needs."""
    return _imported(FUNCTIONS[stage])


def _imported(path: str) -> Callable[[Any], Any]:
    module, _, name = path.partition(":")
    function: Callable[[Any], Any] = getattr(importlib.import_module(module), name)
    return function


def guarded(work: Callable[[], int]) -> int:
    """Run `work`; what a user can put right becomes one line on standard error and exit code 2."""
    try:
        return work()
    except KeyboardInterrupt:
        sys.stderr.write("chexone: interrupted\n")
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        cause = user_error(error)
        if cause is None:
            raise
        for line in str(cause).splitlines():
            sys.stderr.write(f"chexone: {line}\n")
        return 2


def user_error(error: BaseException | None, depth: int = 8) -> ChexoneError | None:
    """The ChexoneError behind `error`, also where Ray wrapped it on its way from a worker."""
    if error is None or depth == 0:
        return None
    inner = [getattr(error, "cause", None), error.__cause__]
    inner += list(getattr(error, "worker_failures", {}).values())
    for candidate in inner:
        if isinstance(candidate, BaseException) and candidate is not error:
            found = user_error(candidate, depth - 1)
            if found is not None:
                return found
    if isinstance(error, ChexoneError):
        return error
    # Ray Data hands on only the text of what a function raised.
    told = re.findall(r"^chexone_ray\.errors\.\w+: (.+)$", str(error), re.MULTILINE)
    return ChexoneError(told[-1]) if told else None


def _summary(model: type[Settings]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _overview(stages: Mapping[str, type[Settings]]) -> str:
    lines = [f"  {name:<16} {_summary(model)}" for name, model in stages.items()]
    if stages is STAGES:
        lines.append(
            "  doctor           Check this machine: versions, devices, disk, ports, S3, vLLM."
        )
    return (
        f"usage: chexone COMMAND {FLAGS}\n\n"
        + "\n".join(lines)
        + "\n\n`chexone COMMAND --help` lists every setting. Order: defaults, TOML files left to "
        f"right, flags.\n{RESEARCH_USE_ONLY}\n"
    )


def _stage_help(stage: str, model: type[Settings]) -> str:
    words = f"[{model.positional.upper()} ...] " if model.positional else ""
    return (
        f"usage: chexone {stage} {words}{FLAGS}\n\n"
        f"{_summary(model)}\n\nSettings, as a flag or as a key of a TOML file:\n"
        f"{setting_texts.describe(model)}\n"
    )
