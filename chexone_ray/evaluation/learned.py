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
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.metric import Metric, Source, source_metric
from chexone_ray.evaluation.statistics import Array, Value
from chexone_ray.metrics.label_f1 import counts_row, value_of
from chexone_ray.metrics.labels import F1_5, F1_14, label_signature, stated
from chexone_ray.metrics.radcliq import inverse_value, radcliq, radcliq_signature
from chexone_ray.metrics.summable import mean_value
from chexone_ray.metrics.text import Pair

logger = logging.getLogger(__name__)

Scores = Callable[[Sequence[str], Sequence[str]], Array]
"""(predicted, reference) -> (N, S)."""


_RADCLIQ = ("radgraph", "bertscore", "chexbert")
_TABLES: dict[str, tuple[str, ...]] = {
    "BERTScore": ("bertscore",),
    "SembScore": ("chexbert",),
    "CheXbert": ("chexbert",),
    "RadGraph": ("radgraph",),
    "RaTEScore": ("ratescore",),
    "RadEval": ("radeval",),
    "GREEN": ("green",),
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
    leaves_out: bool = False


@dataclass(frozen=True)
class _Part:
    """What one adapter gives: `width` numbers a pair."""

    width: int
    scores: Scores
    figures: tuple[_Figure, ...]


def metrics_of(config: LearnedConfig) -> tuple[Metric, ...]:
    """The metrics whose tables are given, with their models loaded; they share one source.

    Raises:
        ChexoneError: a package or weights are missing, or a setting does not fit them.
    """
    makers = {
        "bertscore": _bertscore,
        "chexbert": _chexbert,
        "radgraph": _radgraph,
        "ratescore": _ratescore,
        "radeval": _radeval,
        "green": _green,
    }
    parts = {name: make(config) for name, make in makers.items() if getattr(config, name)}
    if not parts:
        return ()
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
        cliq = np.asarray(radcliq(*(matrix[:, column] for column in components)))
        return np.concatenate([matrix, cliq[:, None]], axis=1)

    source = Source(statistics)
    found: list[Metric] = []
    for name, part in parts.items():
        for figure in part.figures:
            columns = tuple(starts[name] + column for column in figure.columns)
            value = figure.value or mean_value
            columns = columns if figure.value else (*columns, count)
            made = source_metric(source, figure.name, columns, value, figure.signature)
            found.append(replace(made, leaves_out=figure.leaves_out))
    if components:
        told = parts["bertscore"].figures[0].signature
        found += _radcliq(source, (count + 1, count), told)
    return tuple(found)


def _radcliq(source: Source, columns: tuple[int, int], bertscore: str) -> list[Metric]:
    """`bertscore` is the signature of the one that goes in: it decides the scale."""
    settings = ",".join(bertscore.split("|")[1:-1])
    plain, inverse = (radcliq_signature("v1", settings, inverse=i) for i in (False, True))
    return [
        source_metric(source, "RadCliQ-v1", columns, mean_value, plain, higher_is_better=False),
        source_metric(
            source, "1/RadCliQ-v1", columns, inverse_value, inverse, has_row_values=False
        ),
    ]


def _components(parts: dict[str, _Part], starts: dict[str, int]) -> tuple[int, ...]:
    """Columns of RadGraph F1, BERTScore F1 and SembScore where all three are there. BLEU-2 weighs
    4e-12 in v1 and is left at 0."""
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
    """SembScore, then the counts of the 14 labels."""
    from chexone_ray.metrics.learned.chexbert import NAME, CheXbert

    assert config.chexbert is not None
    table = config.chexbert
    model = CheXbert(
        table.weights_uri, table.bert, batch_size=table.batch_size, device=config.device
    )

    def scores(said: Sequence[str], meant: Sequence[str]) -> Array:
        semb = model.semb_scores(said, meant)[:, None]
        told, true = (map(stated, model.states(texts)) for texts in (said, meant))
        counts = [counts_row(a, b, F1_14) for a, b in zip(told, true, strict=True)]
        return np.concatenate([semb, np.reshape(counts, (len(said), -1))], axis=1)

    read_by = model.signature(NAME).partition("|")[2].rpartition("|")[0].replace("|", ",")
    found = [_Figure("SembScore", model.signature(), (0,))]
    for labels in (F1_14, F1_5):
        at = [1 + 3 * F1_14.index(label) + i for label in labels for i in range(3)]
        for average in ("macro", "micro"):
            signed = label_signature(average, labels, labeller=f"{NAME},{read_by}")
            name = f"{NAME} F1-{len(labels)} ({average})"
            found.append(_Figure(name, signed, tuple(at), value_of(average)))
    return _Part(1 + 3 * len(F1_14), scores, tuple(found))


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


def _green(config: LearnedConfig) -> _Part:
    """Scores and their weights: a pair that the judge gave no counts for weighs nothing."""
    from chexone_ray.metrics.learned.green import NAME, green, green_signature

    assert config.green is not None
    table = config.green
    green(
        [""], [""], table.endpoint
    )  # an empty pair: nothing is asked, but key and address are seen

    def scores(said: Sequence[str], meant: Sequence[str]) -> Array:
        found = green(said, meant, table.endpoint, table.max_tokens)
        why = Counter(one.problem for one in found if one.score is None)
        if why:
            told = ", ".join(f"{reason} ({count})" for reason, count in why.most_common())
            logger.warning("%s: %d of %d pairs not judged: %s", NAME, why.total(), len(found), told)
        rows = [(one.score or 0.0, one.score is not None) for one in found]
        return np.reshape(np.array(rows, dtype=float), (len(said), 2))

    signed = green_signature(table.endpoint)
    return _Part(2, scores, (_Figure(NAME, signed, (0, 1), mean_value, leaves_out=True),))
