"""Metrics of reports by models -> `Metric`s: scores of pairs, made once a system like all texts.

All models and packages are loaded before anything is computed, in this process; what is missing
ends the evaluation with the adapter's one line.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from itertools import accumulate

import numpy as np

from chexone_ray.config import LearnedConfig
from chexone_ray.config.learned import GreenTable
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.metric import Metric, Source, source_metric
from chexone_ray.evaluation.statistics import Array, Value
from chexone_ray.metrics.labels import COUNTED, LABEL_FIGURES, counted_row, stated
from chexone_ray.metrics.radcliq import Version, inverse_value, radcliq, radcliq_signature
from chexone_ray.metrics.summable import mean_value
from chexone_ray.metrics.text import CONVENTIONS, FIGURES, Pair, pair_bleu

logger = logging.getLogger(__name__)

Scores = Callable[[Sequence[str], Sequence[str]], Array]
"""(predicted, reference) -> (N, S)."""


_RADCLIQ = ("radgraph", "bertscore", "chexbert")
_VERSIONS: tuple[Version, ...] = ("v0", "v1")
_BLEU = next(figure for figure in FIGURES if figure.name == "BLEU-2 (mean of pairs, rexrank)")
(_REXRANK,) = (convention for convention in CONVENTIONS if convention.tokens == "rexrank")
_TABLES: dict[str, tuple[str, ...]] = {
    "BERTScore": ("bertscore",),
    "SembScore": ("chexbert",),
    "CheXbert": ("chexbert",),
    "RadGraph": ("radgraph",),
    "RaTEScore": ("ratescore",),
    "RadEval": ("radeval",),
    "GREEN": ("green",),
    "RadCliQ-v0": _RADCLIQ,
    "RadCliQ-v1": _RADCLIQ,
    "1/RadCliQ-v1": _RADCLIQ,
}
"""First word of a metric's name -> the tables of `LearnedConfig` that give it."""


def tables_of(name: str) -> tuple[str, ...]:
    """The tables that the metric called `name` needs; none where no model gives such a metric."""
    return _TABLES.get(name.partition(" ")[0], ())


@dataclass(frozen=True)
class _Figure:
    """A metric of `columns` of its part; a mean where `value` is none, over one column."""

    name: str
    signature: str
    columns: tuple[int, ...]
    value: Value | None = None


@dataclass(frozen=True)
class _Part:
    """What one adapter gives: `width` numbers a pair."""

    width: int
    scores: Scores
    figures: tuple[_Figure, ...]


def metrics_of(config: LearnedConfig, output_uri: str | None = None) -> tuple[Metric, ...]:
    """The metrics whose tables are given, with their models loaded; those of models here share one
    source. What a judge is paid for is kept under `output_uri`.

    Raises:
        ChexoneError: a package or weights are missing, or a setting does not fit them.
    """
    makers = {
        "bertscore": _bertscore,
        "chexbert": _chexbert,
        "radgraph": _radgraph,
        "ratescore": _ratescore,
        "radeval": _radeval,
    }
    judge = _green(config.green, output_uri) if config.green is not None else ()
    parts = {name: make(config) for name, make in makers.items() if getattr(config, name)}
    if not parts:
        return judge
    starts = dict(
        zip(parts, accumulate([p.width for p in parts.values()], initial=0), strict=False)
    )
    count = sum(part.width for part in parts.values())
    components = _components(parts, starts)

    def statistics(pairs: Sequence[Pair]) -> Array:
        said, meant = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        columns = [part.scores(said, meant) for part in parts.values()]
        columns.append(np.ones((len(pairs), 1)))
        matrix = np.concatenate(columns, axis=1)
        if not components:
            return matrix
        graphs, bert, semb = (matrix[:, column] for column in components)
        bleu = pair_bleu(pairs, 2, _REXRANK)
        cliq = [radcliq(graphs, bert, semb, bleu, version) for version in _VERSIONS]
        return np.column_stack([matrix, *cliq])

    source = Source(statistics)
    found: list[Metric] = []
    for name, part in parts.items():
        for figure in part.figures:
            columns = tuple(starts[name] + column for column in figure.columns)
            value = figure.value or mean_value
            columns = columns if figure.value else (*columns, count)
            found.append(source_metric(source, figure.name, columns, value, figure.signature))
    if components:
        signed = {one.name: one.signature for one in found}
        told = [signed[name] for name in ("RadGraph F1 (radcliq)", "BERTScore F1", "SembScore")]
        found += _radcliq(source, count, [*told, _BLEU.signature])
    return (*found, *judge)


def _radcliq(source: Source, count: int, components: Sequence[str]) -> list[Metric]:
    """The values of v0 and v1 stand behind the column `count`; `components` are signatures."""
    found = []
    for at, version in enumerate(_VERSIONS, count + 1):
        told = (f"RadCliQ-{version}", (at, count), mean_value)
        signed = radcliq_signature(version, components)
        found.append(source_metric(source, *told, signed, higher_is_better=False))
    inverse = radcliq_signature("v1", components, inverse=True)
    told = ("1/RadCliQ-v1", (count + 2, count), inverse_value)
    return [*found, source_metric(source, *told, inverse, has_row_values=False)]


def _components(parts: dict[str, _Part], starts: dict[str, int]) -> tuple[int, ...]:
    """Columns of RadGraph F1, BERTScore F1 and SembScore where all three are there."""
    if not set(_RADCLIQ) <= set(parts):
        return ()
    from chexone_ray.metrics.learned.radgraph import GraphScores

    level = [field.name for field in fields(GraphScores)].index("radcliq")
    return starts["radgraph"] + level, starts["bertscore"], starts["chexbert"]


def _bertscore(config: LearnedConfig) -> _Part:
    from chexone_ray.metrics.learned.bertscore import NAME, BertScore, BertScoreSettings

    assert config.bertscore is not None
    settings = BertScoreSettings(**config.bertscore.model_dump(), device=config.device)
    model = BertScore(settings)
    figure = _Figure(f"{NAME} F1", model.signature, (0,))
    return _Part(1, lambda said, meant: model.scores(said, meant)[:, 2:], (figure,))


def _chexbert(config: LearnedConfig) -> _Part:
    """SembScore, then what the label figures are made of. A blank answer is none."""
    from chexone_ray.metrics.learned.chexbert import NAME, CheXbert

    assert config.chexbert is not None
    table = config.chexbert
    model = CheXbert(
        table.weights_uri, table.bert, batch_size=table.batch_size, device=config.device
    )

    def scores(said: Sequence[str], meant: Sequence[str]) -> Array:
        semb, told, true = model.score(said, meant)
        rows = [
            counted_row(stated(ones) if text.strip() else None, stated(others))
            for text, ones, others in zip(said, told, true, strict=True)
        ]
        return np.concatenate([semb[:, None], np.reshape(rows, (len(said), COUNTED))], axis=1)

    found = [_Figure("SembScore", model.signature(), (0,))]
    for figure in LABEL_FIGURES:
        at = tuple(1 + column for column in figure.columns)
        signed = figure.signature(labeller=model.labeller)
        found.append(_Figure(f"{NAME} {figure.name}", signed, at, figure.value))
    return _Part(1 + COUNTED, scores, tuple(found))


def _radgraph(config: LearnedConfig) -> _Part:
    from chexone_ray.metrics.learned.radgraph import NAME, GraphScores, RadGraph

    assert config.radgraph is not None
    model = RadGraph(config.radgraph.model_type)
    levels = [field.name for field in fields(GraphScores)]
    figures = tuple(
        _Figure(f"{NAME} ({level})", model.signature(level), (at,))
        for at, level in enumerate(levels)
    )

    def scores(said: Sequence[str], meant: Sequence[str]) -> Array:
        rows = [astuple(one) for one in model.scores(said, meant)]
        return np.reshape(np.array(rows, dtype=float), (len(said), len(levels)))

    return _Part(len(levels), scores, figures)


def _ratescore(config: LearnedConfig) -> _Part:
    from chexone_ray.metrics.learned.ratescore import NAME, RaTEScore

    assert config.ratescore is not None
    table = config.ratescore
    model = RaTEScore(
        table.entities_model,
        table.embedding_model,
        affinity=table.affinity,
        use_gpu=config.device != "cpu",
    )

    def scores(said: Sequence[str], meant: Sequence[str]) -> Array:
        return np.array(model.scores(said, meant), dtype=float)[:, None]

    return _Part(1, scores, (_Figure(NAME, model.signature, (0,)),))


def _radeval(config: LearnedConfig) -> _Part:
    from chexone_ray.metrics.learned.radeval import NAME, RadEval

    assert config.radeval is not None
    model = RadEval(config.radeval.metrics)
    names = config.radeval.figures or config.radeval.metrics
    figures = tuple(
        _Figure(f"{NAME} {name}", model.signature(name), (at,)) for at, name in enumerate(names)
    )

    def scores(said: Sequence[str], meant: Sequence[str]) -> Array:
        result = model.scores(said, meant)
        missing = [name for name in names if name not in result] if said else []
        if missing:
            raise ChexoneError(
                f"learned.radeval: {missing[0]} is not in the package's result, which has "
                f"{', '.join(result)}: name those in learned.radeval.figures"
            )
        return np.array([result[name] for name in names], dtype=float).T.reshape(len(said), -1)

    return _Part(len(names), scores, figures)


def _green(table: GreenTable, output_uri: str | None) -> tuple[Metric, ...]:
    """Scores and their weights: a pair that the judge gave no counts for weighs nothing. Baselines
    are not sent: they say nothing that is worth a request."""
    from chexone_ray.evaluation.judgements import judged
    from chexone_ray.metrics.learned.green import NAME, green, green_signature

    # An empty pair: nothing is asked, but key and address are seen.
    green([""], [""], table.endpoint)

    def statistics(pairs: Sequence[Pair]) -> Array:
        said, meant = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        found = judged(said, meant, table, output_uri)
        why = Counter(one.problem for one in found if one.score is None)
        if why:
            told = ", ".join(f"{reason} ({count})" for reason, count in why.most_common())
            logger.warning("%s: %d of %d pairs not judged: %s", NAME, why.total(), len(found), told)
        rows = [(one.score or 0.0, one.score is not None) for one in found]
        return np.reshape(np.array(rows, dtype=float), (len(said), 2))

    source = Source(statistics, of_models=True)
    signed = green_signature(table.endpoint)
    made = source_metric(source, NAME, (0, 1), mean_value, signed)
    return (replace(made, leaves_out=True),)
