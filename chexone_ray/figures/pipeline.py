"""Figure 2: the chain as it was run, with the counts of rows between its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chexone_ray import storage
from chexone_ray.figures.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from chexone_ray.figures.plates import DOUBLE, Drawn, Skip, page, wrapped
from chexone_ray.figures.runs import METRICS, TABLE, Run, Runs, in_order, row_table, scores

LETTERS = 36
"""In a line of a box."""
HEIGHT = 3.3


@dataclass(frozen=True)
class Stage:
    """One box: no lines where the stage's run was not given."""

    title: str
    lines: tuple[str, ...]
    colour: str


def draw(runs: Runs) -> Drawn:
    """The schematic; stages without a run are drawn empty."""
    if not runs.of("manifest", "sft", "filter", "grpo"):
        raise Skip("no manifest and no training run is given")
    with page(DOUBLE, HEIGHT, "Pipeline of these runs") as made:
        axis = made.figure.subplots()
        _boxes(axis, stages(runs))
        made.note = "Numbers are from the runs' files; a dashed box is a stage that was not given."
    return Drawn((made.formats,), _files(runs))


def stages(runs: Runs) -> tuple[Stage, ...]:
    """The stages in their order, each with what its run's files say of it."""
    makers = (_archives, _manifest, _sft, _filter, _grpo, _test)
    return tuple(make(runs) for make in makers)


def _files(runs: Runs) -> tuple[str, ...]:
    names = {
        "manifest": ("manifest.json",),
        "sft": (METRICS, storage.SETTINGS_FILE),
        "filter": ("report.json", storage.SETTINGS_FILE),
        "grpo": (METRICS, storage.SETTINGS_FILE),
        "predictions": ("predictions.json",),
        "evaluation": (TABLE,),
    }
    places = [run.file(name) for run in runs.items for name in names.get(run.sort, ())]
    return tuple(place for place in places if storage.exists(place))


def _archives(runs: Runs) -> Stage:
    lines: list[str] = []
    for run in runs.of("manifest"):
        body = run.json("manifest.json")
        datasets = in_order(name for found in body["counts"]["dataset"].values() for name in found)
        lines.append(f"{len(datasets)} data sets" if len(datasets) > 1 else datasets[0])
        lines += [
            f"{body[f'num_{unit}']:,} {unit}"
            for unit in ("patients", "studies", "images")
            if f"num_{unit}" in body
        ]
    return Stage("Archives", tuple(lines), GREY)


def _manifest(runs: Runs) -> Stage:
    lines = []
    for run in runs.of("manifest"):
        counts = run.json("manifest.json")["counts"]
        tasks = {name for found in counts["task"].values() for name in found}
        lines.append(f"{counts['rows']:,} rows, {len(tasks)} tasks")
        lines += [f"{split} {number:,}" for split, number in counts["split"].items()]
    return Stage("Prepared manifest", tuple(lines), SKY)


def _rows(runs: Runs, settings: Mapping[str, Any]) -> str:
    """The rows of the manifest that a stage was given, where that is among the runs."""
    wanted, split = settings.get("manifest_uri"), settings.get("split", "train")
    for run in runs.of("manifest", "filter"):
        # A copy of a run keeps the place that the run itself wrote to.
        if wanted in (run.uri, run.settings().get("output_uri")):
            number = run.json("manifest.json")["counts"]["split"].get(split, 0)
            return f"in: {number:,} {split} rows"
    return f"in: rows of {_end(wanted)}" if wanted else "in: not recorded"


def _end(uri: object) -> str:
    return "/".join(str(uri).rstrip("/").split("/")[-2:])


def _sft(runs: Runs) -> Stage:
    lines = []
    for run in runs.of("sft"):
        settings = run.settings()
        lines.append(_rows(runs, settings))
        lines.append(f"base: {_end(settings.get('model_uri', 'not recorded'))}")
        lines.append(f"{int(_last(run)):,} optimizer steps")
        if "optim" in settings:
            lines.append(f"learning rate {settings['optim']['lr']:g}")
    return Stage("Stage 1: supervised fine-tuning", tuple(lines), BLUE)


def _last(run: Run) -> float:
    metrics = run.metrics()
    return metrics[-1]["step"] if metrics else 0


def _filter(runs: Runs) -> Stage:
    lines = []
    for run in runs.of("filter"):
        report, settings = run.json("report.json"), run.settings()
        equal = sum(table["zero"] for table in report["kinds"].values())
        lines.append(f"in: {report['prompts']:,} prompts")
        if "sampling" in settings:
            lines[-1] += f", {settings['sampling']['n']} samples each"
        lines.append(f"{equal:,} with equal rewards")
        lines.append(f"out: {report['kept']:,} selected")
        if settings.get("min_std"):
            lines[-1] += f" (std > {settings['min_std']:g})"
    return Stage("Variance filter", tuple(lines), PURPLE)


def _grpo(runs: Runs) -> Stage:
    lines = []
    for run in runs.of("grpo"):
        settings, metrics = run.settings(), run.metrics()
        lines.append(_rows(runs, settings))
        asked = sum(int(row.get("grpo/num_groups", 0)) for row in metrics)
        told = f"{int(_last(run)):,} steps, {asked:,} prompt groups"
        lines.append(told)
        if "sampling" in settings:
            lines.append(f"{settings['sampling']['n']} rollouts a prompt")
        if "beta" in settings:
            lines.append(f"KL weight {settings['beta']:g}")
    return Stage("Stage 2: GRPO", tuple(lines), GREEN)


def _test(runs: Runs) -> Stage:
    lines = []
    for run in runs.of("predictions"):
        summary = run.json("predictions.json")
        lines.append(f"{run.name}: {summary['samples']:,} rows")
    table = scores(runs.of("evaluation"))
    if table:
        models = in_order(score.model for score in table if not score.baseline)
        settings = in_order(score.setting for score in table)
        number = sum(num_questions(run) for run in runs.of("evaluation"))
        lines.insert(0, f"{number:,} test rows, {len(models)} systems")
        if len(settings) > 1:
            lines.insert(1, f"{len(settings)} settings")
    return Stage("Prediction and evaluation", tuple(lines), ORANGE)


def num_questions(run: Run) -> int:
    """Different questions among the rows of an evaluation."""
    table = row_table(run, ("setting", "dataset", "id"))
    return int(table.group_by(table.column_names).aggregate([]).num_rows)


def _boxes(axis: Any, stages: Sequence[Stage]) -> None:
    """Two rows: archives to stage 1 from left to right, filter to evaluation from right to left."""
    from matplotlib.patches import FancyBboxPatch

    axis.set_xlim(0, 3)
    axis.set_ylim(0, 2)
    axis.set_axis_off()
    left = (0.02, 1.06, 2.10)
    width, height = 0.86, 0.76
    places = [(x, 1.16) for x in left] + [(x, 0.06) for x in reversed(left)]
    for stage, (x, y) in zip(stages, places, strict=True):
        given = bool(stage.lines)
        axis.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor="white",
                edgecolor=stage.colour if given else GREY,
                linewidth=1.4,
                linestyle="-" if given else "--",
            )
        )
        bold = {"fontweight": "bold", "fontsize": 7.5, "va": "top"}
        axis.text(x + 0.035, y + height - 0.06, stage.title, **bold)
        axis.text(
            x + 0.035, y + height - 0.21, _text(stage), va="top", fontsize=7, linespacing=1.35
        )
    _arrows(axis, places, width, height)


def _text(stage: Stage, most: int = 5) -> str:
    lines = [part for line in stage.lines for part in wrapped(line, LETTERS).splitlines()]
    if len(lines) > most:
        lines = [*lines[: most - 1], f"and {len(lines) - most + 1} lines more"]
    return "\n".join(lines or ["not given"])


def _arrows(axis: Any, places: Sequence[tuple[float, float]], width: float, height: float) -> None:
    def arrow(
        start: tuple[float, float], end: tuple[float, float], text: str = "", shift: float = 0
    ) -> None:
        style = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.0, "shrinkA": 0}
        axis.annotate("", end, start, arrowprops={**style, "shrinkB": 0})
        if text:
            x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            axis.text(x + 0.05, y + shift, text, ha="left", va="center", fontsize=7)

    for first, second in ((0, 1), (1, 2)):
        (x, y), (to, _) = places[first], places[second]
        arrow((x + width, y + height / 2), (to, y + height / 2))
    for first, second in ((3, 4), (4, 5)):
        (x, y), (to, _) = places[first], places[second]
        arrow((x, y + height / 2), (to + width, y + height / 2))
    (x, y), (_, below) = places[2], places[3]
    arrow((x + 0.6, y), (x + 0.6, below + height), "checkpoint")
    (x, y), (to, below) = places[1], places[3]
    arrow((x + 0.72, y), (to + 0.1, below + height), "prompts", 0.06)
    to, below = places[5]
    arrow((x + 0.12, y), (to + 0.7, below + height), "test rows", -0.06)
