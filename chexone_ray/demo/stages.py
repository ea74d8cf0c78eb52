"""The stages of the demo. Each calls the public function of one link and returns a few numbers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chexone_ray import storage
from chexone_ray.background import in_background
from chexone_ray.errors import ChexoneError
from chexone_ray.processes import with_parent

if TYPE_CHECKING:
    from chexone_ray.demo.recipe import Recipe
    from chexone_ray.demo.runner import Run, StageFunction

logger = logging.getLogger(__name__)

TINY_MODEL_TIMEOUT_S = 1800.0
NUM_SERVED = 4


def archive(run: Run) -> dict[str, Any]:
    """Draw the phantom archive into S3; the tiny base model is built meanwhile."""
    from chexone_ray.data.archive import write_archive

    _start_tiny_model(run)
    run.started(run.session.start_ray())
    settings = run.recipe.archive
    counts = write_archive(
        run.configs.archive_uri,
        num_patients=settings.num_patients,
        seed=run.config.seed,
        size=settings.size,
        dicom_share=settings.dicom_share,
        bad_files=True,
    )
    return {"counts": counts}


def prepare(run: Run) -> dict[str, Any]:
    """Archive -> manifest, with Ray Data."""
    from chexone_ray import sft as supervised
    from chexone_ray.data.build import prepare as prepare_manifest

    _start_tiny_model(run)
    run.started(run.session.start_ray())
    if not run.is_done("sft"):
        run.session.warm_workers("sft", lambda: supervised.start_workers(run.configs.sft()))
    uri = prepare_manifest(run.configs.prepare())
    return {"manifest": storage.read_json(storage.join(uri, "manifest.json"))}


def tiny_model(run: Run) -> None:
    """Build the tiny base model: `chexone tiny-model` in a process of its own."""
    _start_tiny_model(run)
    run.ahead.pop("tiny-model").result(TINY_MODEL_TIMEOUT_S)


def _start_tiny_model(run: Run) -> None:
    """In the background: it takes one core for minutes and needs no other stage."""
    if not run.is_done("tiny-model") and "tiny-model" not in run.ahead:
        run.ahead["tiny-model"] = in_background("tiny-model", lambda: _build_tiny_model(run))


def _build_tiny_model(run: Run) -> None:
    config = run.configs.tiny_model()
    if storage.committed(config.output_uri) is not None:
        return
    flags: list[str] = []
    for key, value in config.model_dump(exclude_unset=True).items():
        flags += [f"--{key}", str(value).lower() if isinstance(value, bool) else str(value)]
    command = with_parent([sys.executable, "-m", "chexone_ray", "tiny-model", *flags])
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with (run.folder / "tiny-model.log").open("w") as log:
        done = subprocess.run(
            command, stdout=log, stderr=log, env=environment, timeout=TINY_MODEL_TIMEOUT_S
        )
    if done.returncode:
        raise ChexoneError(
            f"`chexone tiny-model` ended with exit code {done.returncode}: see {log.name}"
        )


def sft(run: Run) -> dict[str, Any]:
    """Manifest -> supervised checkpoint, with Ray Train and DeepSpeed."""
    from chexone_ray import sft as supervised

    run.started(run.session.start_ray())
    config = run.configs.sft()
    workers, waited = run.session.take_workers("sft", lambda: supervised.start_workers(config))
    run.started(waited)
    run.session.warm_pool("base")
    return {"model_uri": supervised.train(config, warm=workers)}


def predict_base(run: Run) -> dict[str, Any]:
    """Held-out answers of the base and the supervised model, by one running engine pool; probes of
    the supervised one's reasoning."""
    from chexone_ray.predict import predict
    from chexone_ray.probing.run import probe

    run.started(run.session.start_ray())
    pool, waited = run.session.pool("SFT")
    run.started(waited)
    uris = [predict(run.configs.predict(model), pool=pool) for model in ("base", "SFT")]
    uris.append(predict(run.configs.predict("SFT", mode="instruct"), pool=pool))
    uris.append(predict(run.configs.sampled("SFT"), pool=pool))
    return {"predictions": uris, "probes": probe(run.configs.probe("SFT"), pool=pool)}


def filter_variance(run: Run) -> dict[str, Any]:
    """Prompts whose sampled rewards differ -> the smaller manifest of GRPO."""
    from chexone_ray.grpo.driver import start_workers
    from chexone_ray.variance import select

    run.started(run.session.start_ray())
    if not run.is_done("grpo"):
        run.session.warm_workers("grpo", lambda: start_workers(run.configs.grpo()))
    pool, waited = run.session.pool("SFT")
    run.started(waited)
    return {"selected_uri": select(run.configs.filter(), pool=pool)}


def grpo(run: Run) -> dict[str, Any]:
    """Reinforcement: rollouts by the pool, updates by Ray Train, weights into running engines."""
    from chexone_ray.grpo.driver import start_workers, train

    run.started(run.session.start_ray())
    pool, waited = run.session.pool("SFT")
    run.started(waited)
    config = run.configs.grpo()
    workers, waited = run.session.take_workers("grpo", lambda: start_workers(config))
    run.started(waited)
    return {"model_uri": train(config, pool=pool, warm=workers)}


def predict_grpo(run: Run) -> dict[str, Any]:
    """Held-out answers of the reinforced model and probes of its reasoning; answers to real films
    where there are any."""
    from chexone_ray.predict import predict
    from chexone_ray.probing.run import probe

    run.started(run.session.start_ray())
    pool, waited = run.session.pool("GRPO")
    run.started(waited)
    uris = [
        predict(run.configs.predict("GRPO"), pool=pool),
        predict(run.configs.sampled("GRPO"), pool=pool),
    ]
    probed = probe(run.configs.probe("GRPO"), pool=pool)
    films = real_films(run.config.real_data)
    if films is not None:
        uris.append(predict(run.configs.real(str(films)), pool=pool))
    else:
        logger.info("no real films at %s: that part is left out", run.config.real_data)
    return {"predictions": uris, "probes": probed, "real": films is not None}


def real_films(folder: str) -> Path | None:
    """The folder of real films, or None where it is absent."""
    path = Path(folder)
    return path.absolute() if path.is_dir() else None


def evaluate(run: Run) -> dict[str, Any]:
    """Tables with baselines and intervals over patients."""
    from chexone_ray.evaluation.harness import evaluate as evaluate_predictions

    return {"evaluation_uri": evaluate_predictions(run.configs.evaluate())}


def figures(run: Run) -> dict[str, Any]:
    """The ten figures of the run's own files, and films and answers of the models side by side."""
    from chexone_ray.demo import readers
    from chexone_ray.evaluation.predictions import read_rows
    from chexone_ray.figures.draw import LIST_FILE, draw

    rows = read_rows(run.configs.predict("GRPO").output_uri)
    responses = readers.responses(rows, run.config.seed)
    if responses:
        storage.write_bytes(run.configs.responses_uri, responses)
    else:
        logger.info("no held-out findings were written: the simulated readers have none to read")
    uri = draw(run.configs.figures(str(run.folder / "figures"), responses=bool(responses)))
    listed = storage.read_json(storage.join(uri, LIST_FILE))
    table = storage.join(run.configs.evaluate().output_uri, "table.html")
    (run.folder / "table.html").write_bytes(storage.read_bytes(table))
    return {
        "figures": [name for figure in listed["figures"] for name in figure["files"]],
        "skipped": listed["skipped"],
    }


def serve(run: Run) -> dict[str, Any]:
    """Ray Serve: the openai client gets streamed answers, equal to the engine's greedy text."""
    from chexone_ray.demo import served

    run.started(run.session.start_ray())
    films = served.films(run, NUM_SERVED)
    pool, waited = run.session.pool("GRPO")
    run.started(waited)
    expected = served.engine_answers(run, pool, films)
    run.session.close_pool()
    start = time.monotonic()
    with served.server(run) as url:
        run.started(time.monotonic() - start)
        return served.compare(run, url, films, expected)


STAGES: dict[str, StageFunction] = {
    "archive": archive,
    "prepare": prepare,
    "tiny-model": tiny_model,
    "sft": sft,
    "predict-sft": predict_base,
    "filter": filter_variance,
    "grpo": grpo,
    "predict-grpo": predict_grpo,
    "evaluate": evaluate,
    "figures": figures,
    "serve": serve,
}

AMOUNTS: dict[str, Callable[[Recipe], str]] = {
    "archive": lambda recipe: f"{recipe.archive.num_patients} patients",
    "tiny-model": lambda recipe: (
        f"{recipe.tiny_model['pretrain_steps']} steps, begun beside the stages before; they are in "
        "tiny-model.log"
    ),
    "sft": lambda recipe: f"{recipe.sft['max_steps']} steps",
    "filter": lambda recipe: f"{recipe.filter['max_candidates_per_kind']} prompts a kind",
    "grpo": lambda recipe: f"{recipe.grpo['steps']} steps",
}
"""Stage -> how much it has to do, where the recipe says so."""


def told(name: str, recipe: Recipe) -> str:
    """What a stage does, and how much of it where the recipe says so."""
    line = (STAGES[name].__doc__ or "").strip().splitlines()[0]
    amount = AMOUNTS.get(name)
    return f"{line.removesuffix('.')} ({amount(recipe)})." if amount else line
