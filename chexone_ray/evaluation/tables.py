"""Figures, differences and outcomes -> what a results page says, whatever its format.

`table_formats.py` writes a `Document` as Markdown, LaTeX or HTML.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chexone_ray.evaluation.blind import MAJORITY, RANDOM
from chexone_ray.evaluation.measures import Difference, Draws, Figure, family
from chexone_ray.evaluation.significance import MCNEMAR_EXACT_BELOW
from chexone_ray.evaluation.statistics import MIN_PATIENTS, wilson
from chexone_ray.kinds import spoken
from chexone_ray.log import RESEARCH_USE_ONLY

LEVEL = 0.05
MAX_TEST_LINES = 60
FEW_PATIENTS = 20
MAX_FEW_NAMED = 8
LEAST_SCORED = 5
"""Rows, and patients, that a value must rest on to be the best of a line."""
COLUMN_BASELINES = (RANDOM, MAJORITY)
"""Those that every kind has and that have a column; the others are in a table of their own."""


@dataclass(frozen=True)
class Outcome:
    """How the rows of one setting and model came out; what is left was answered."""

    setting: str
    model: str
    num_rows: int
    num_unparsed: int
    num_refused: int
    num_failed: int


@dataclass(frozen=True)
class Cell:
    """`note` stands smaller beside the text, `mark` is raised behind it, `footnote` is a number."""

    text: str = ""
    note: str = ""
    mark: str = ""
    footnote: int | None = None
    is_bold: bool = False
    is_italic: bool = False
    is_number: bool = False


@dataclass(frozen=True)
class Grid:
    """One table. A line of a single cell is a heading over the lines after it. Where there is no
    room for all columns, the first `num_fixed` stand before each part; 0: it cannot be parted."""

    title: str
    head: tuple[Cell, ...]
    lines: tuple[tuple[Cell, ...], ...]
    num_fixed: int = 0


@dataclass(frozen=True)
class Document:
    """A results page. `signatures[i]` is footnote i + 1. A footnote at a value is of a model whose
    answers were read otherwise than those of the first model."""

    title: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...]
    signatures: tuple[str, ...]
    notice: str = RESEARCH_USE_ONLY


def document(
    figures: Sequence[Figure],
    differences: Sequence[Difference],
    outcomes: Sequence[Outcome],
    draws: Draws,
) -> Document:
    """The page of one evaluation. The first model is the one that others are marked against."""
    signatures = tuple(dict.fromkeys(f.signature for f in figures if not f.baseline))
    reference = next((figure.model for figure in figures if not figure.baseline), "")
    grids = (
        _results(figures, differences, signatures, reference),
        _failures(outcomes),
        _tests(differences, reference, baseline=False),
        _tests(differences, reference, baseline=True),
        _other_baselines(figures),
    )
    return Document(
        "Results",
        tuple(grid for grid in grids if grid.lines),
        tuple(_notes(figures, differences, reference, draws)),
        signatures,
    )


def _results(
    figures: Sequence[Figure],
    differences: Sequence[Difference],
    signatures: Sequence[str],
    reference: str,
) -> Grid:
    """Systems as columns; of topics the headline metric alone."""
    blind = [name for name in COLUMN_BASELINES if any(f.model == name for f in figures)]
    models = list(dict.fromkeys(f.model for f in figures if not f.baseline))
    by_line: dict[tuple[str, str, str, str], dict[str, Figure]] = {}
    for figure in figures:
        if not figure.topic or figure.headline:
            line = (figure.setting, figure.kind, figure.topic, figure.metric)
            by_line.setdefault(line, {})[figure.model] = figure
    marked = {
        (d.setting, d.kind, d.metric, d.second)
        for d in differences
        if d.first == reference and not d.baseline and d.p_holm is not None and d.p_holm < LEVEL
    }
    lines: list[tuple[Cell, ...]] = []
    before = ("", "")
    for (setting, kind, topic, metric), cells in by_line.items():
        if setting != before[0]:
            lines.append((Cell(setting, is_bold=True),))
        name = f"\u2013 {topic}" if topic else "" if (setting, kind) == before else spoken(kind)
        before = (setting, kind)
        some = next((f for f in cells.values() if not f.baseline), next(iter(cells.values())))
        best = _best([cells[model] for model in models if model in cells])
        shown = [_value(cells.get(system), is_italic=True) for system in blind]
        for system in models:
            own = cells.get(system)
            mark = "*" if not topic and (setting, kind, metric, system) in marked else ""
            footnote = None
            if own and own.signature != some.signature:
                footnote = _footnote(own, signatures)
            is_best = bool(own and not is_thin(own) and _shown(own.value) == best)
            shown.append(_value(own, mark, is_bold=is_best, footnote=footnote))
        lines.append(
            (
                Cell(name),
                Cell(metric, footnote=_footnote(some, signatures)),
                _count(some.num_rows),
                _count(some.num_patients),
                *shown,
            )
        )
    head = (
        Cell("kind"),
        Cell("metric"),
        Cell("rows", is_number=True),
        Cell("patients", is_number=True),
        *(Cell(name, is_number=True, is_italic=True) for name in blind),
        *(Cell(name, is_number=True) for name in models),
    )
    return Grid("Systems", head, tuple(lines), num_fixed=4)


def _footnote(figure: Figure, signatures: Sequence[str]) -> int | None:
    """None for a baseline in a line without a model: only those of models are listed."""
    return signatures.index(figure.signature) + 1 if figure.signature in signatures else None


def _best(figures: Sequence[Figure]) -> str:
    """The best value as it is printed, so that equal looks are equal; none where the models do not
    differ, or the highest is not above 0. A thin value is never the best."""
    values = [f.value for f in figures if math.isfinite(f.value) and not is_thin(f)]
    if len(set(map(_shown, values))) < 2:
        return ""
    if not figures[0].higher_is_better:
        return _shown(min(values))
    best = _shown(max(values))
    return best if float(best) > 0 else ""


def is_thin(figure: Figure) -> bool:
    """True for a value without an interval, or of fewer than `LEAST_SCORED` rows or patients."""
    scored = (figure.num_scored, figure.num_patients_scored)
    few = any(number is not None and number < LEAST_SCORED for number in scored)
    return few or not math.isfinite(figure.low)


def _tests(differences: Sequence[Difference], reference: str, baseline: bool) -> Grid:
    """Headline tests between models, or of models against baselines: all of them where they are
    few, else those against the reference model, or none. The rest is in differences.json."""
    chosen = [
        d for d in differences if d.headline and d.baseline == baseline and d.p_value is not None
    ]
    if len(chosen) > MAX_TEST_LINES:
        chosen = [d for d in chosen if d.first == reference]
    lines = tuple(
        (
            Cell(d.setting),
            Cell(spoken(d.kind)),
            Cell(d.metric),
            Cell(f"{d.second} against {d.first}"),
            Cell(_signed(d.value), _signed_range(d.low, d.high), is_number=True),
            Cell(_p(d.p_value), is_number=True),
            Cell(_p(d.p_holm), is_number=True),
            Cell(_p(d.mcnemar_p), is_number=True),
        )
        for d in chosen
    )
    names = ("setting", "kind", "metric", "systems")
    numbers = ("difference", "p", "p (Holm)", "p (McNemar, by row)")
    head = [*map(Cell, names), *(Cell(name, is_number=True) for name in numbers)]
    title = "Models against baselines" if baseline else "Models against models"
    return _without_empty(title, head, lines)


def _other_baselines(figures: Sequence[Figure]) -> Grid:
    lines = tuple(
        (
            Cell(f.setting),
            Cell(spoken(f.kind)),
            Cell(f.metric),
            Cell(f.model, is_italic=True),
            _value(f, is_italic=True),
        )
        for f in figures
        if f.baseline and not f.topic and f.model not in COLUMN_BASELINES
    )
    head = [*map(Cell, ("setting", "kind", "metric", "baseline")), Cell("value", is_number=True)]
    return _without_empty("Other baselines", head, lines)


def _failures(outcomes: Sequence[Outcome]) -> Grid:
    lines = []
    for o in outcomes:
        lost = o.num_unparsed + o.num_refused + o.num_failed
        share = wilson(lost, o.num_rows)
        lines.append(
            (
                Cell(o.setting),
                Cell(o.model),
                *map(_count, (o.num_rows, o.num_unparsed, o.num_refused, o.num_failed)),
                Cell(_shown(share.value), _range(share.low, share.high), is_number=True),
            )
        )
    numbers = ("rows", "unparsed", "refused", "failed", "share without an answer")
    head = [Cell("setting"), Cell("system"), *(Cell(name, is_number=True) for name in numbers)]
    return _without_empty("Rows without an answer", head, tuple(lines))


def _without_empty(title: str, head: Sequence[Cell], lines: Sequence[tuple[Cell, ...]]) -> Grid:
    """The grid without its first column where that is empty, as in an evaluation of one setting."""
    if any(line[0].text for line in lines):
        return Grid(title, tuple(head), tuple(lines))
    return Grid(title, tuple(head[1:]), tuple(line[1:] for line in lines))


def _notes(
    figures: Sequence[Figure], differences: Sequence[Difference], reference: str, draws: Draws
) -> Iterator[str]:
    yield (
        "Values with 95 % intervals: percentile bootstrap over patients "
        f"({draws.bootstrap} draws, seed {draws.seed}); n/a below {MIN_PATIENTS} patients. Where "
        "every draw is the same, as of a system that is never wrong, the interval is Wilson's, by "
        "patient."
    )
    yield from _few(figures)
    for figure in figures:
        if figure.num_unjudged and not figure.topic:
            yield (
                f"{figure.metric}: the judge gave no score to {figure.num_unjudged} of "
                f"{figure.num_rows} rows of {figure.model} ({spoken(figure.kind)}), which are left "
                "out."
            )
    if any(figure.undefined_draws for figure in figures):
        yield (
            "A share of undefined draws stands behind the interval of what is left: the figure has "
            "no value in those draws, so the interval may be too narrow."
        )
    yield (
        "Rows that were unparsed, refused or failed count as wrong; the interval of their share is "
        "Wilson's, over rows."
    )
    if len({figure.model for figure in figures if not figure.baseline}) > 1:
        yield (
            "Bold: the best of a line, where its models differ and do not all earn nothing, of the "
            f"values with an interval and {LEAST_SCORED} or more scored rows and patients."
        )
    if any(figure.num_scored is not None and not figure.topic for figure in figures):
        yield (
            "Scored: the rows that weigh in a figure, where not all do. A trace that states no "
            "finding has nothing to be borne out."
        )
    if any(figure.baseline for figure in figures):
        yield (
            "Italic: baselines without the image; what one is told of the answer is in its name. "
            "Nothing is parsed of them: their signatures are without parse and mode."
        )
    yield from _of_tests(differences, reference, draws)


def _of_tests(differences: Sequence[Difference], reference: str, draws: Draws) -> Iterator[str]:
    size = family(differences, baseline=False)
    if size:
        yield (
            f"* differs from {reference} in the headline metric of the kind: p < {LEVEL:.2f} in "
            f"the paired approximate randomisation test by patient ({draws.randomisations} draws, "
            f"two-sided), Holm-corrected over the family of {_tests_told(size)} between two "
            "models in this evaluation."
        )
        yield (
            "McNemar's test is shown where the metric is a share of right rows (exact below "
            f"{MCNEMAR_EXACT_BELOW} discordant rows, else chi-square with continuity correction). "
            "It takes rows as independent, which those of one patient are not: the randomisation "
            "test decides."
        )
    blind = family(differences, baseline=True)
    if blind:
        yield (
            f"Tests of a model against {MAJORITY} or {RANDOM} are a family of their own, of "
            f"{_tests_told(blind)}. All tests are in differences.json."
        )
    for count in (size, blind):
        least = count / (1 + draws.randomisations)
        if count and least >= LEVEL:
            yield (
                f"A family of {count} tests of {draws.randomisations} draws cannot reach a "
                f"corrected p below {least:.3f}: raise randomisations."
            )


def _tests_told(size: int) -> str:
    return "the one headline test" if size == 1 else f"all {size} headline tests"


def _few(figures: Sequence[Figure]) -> Iterator[str]:
    """What is told of figures that rest on few patients."""
    found = dict.fromkeys(
        " ".join(filter(None, (f.setting, spoken(f.kind), f.topic and f"({f.topic})")))
        for f in figures
        if not f.baseline and f.num_patients < FEW_PATIENTS and (not f.topic or f.headline)
    )
    if found:
        more = len(found) - MAX_FEW_NAMED
        names = [*list(found)[:MAX_FEW_NAMED], *([f"{more} more"] if more > 0 else [])]
        yield (
            f"Fewer than {FEW_PATIENTS} patients are behind figures of {', '.join(names)}: another "
            "sample may well turn such a comparison."
        )


def _value(
    figure: Figure | None,
    mark: str = "",
    is_bold: bool = False,
    is_italic: bool = False,
    footnote: int | None = None,
) -> Cell:
    if figure is None:
        return Cell(is_number=True)
    return Cell(
        _shown(figure.value),
        _spread(figure),
        mark,
        footnote,
        is_bold=is_bold,
        is_italic=is_italic,
        is_number=True,
    )


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", is_number=True)


def _shown(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "n/a"


def _signed(value: float) -> str:
    return f"{value:+.3f}" if math.isfinite(value) else "n/a"


def _range(low: float, high: float) -> str:
    return f"{_shown(low)} to {_shown(high)}" if math.isfinite(low) else "n/a"


def _signed_range(low: float, high: float) -> str:
    return f"{_signed(low)} to {_signed(high)}" if math.isfinite(low) else "n/a"


def _spread(figure: Figure) -> str:
    """The interval, with the rows that are scored where not all are and the share of undefined
    draws where there are any; none of no value."""
    if not math.isfinite(figure.value):
        return ""
    text = _range(figure.low, figure.high)
    text += "" if figure.num_scored is None else f"; {figure.num_scored:,} scored"
    lost = f"{figure.undefined_draws:.1%}" if figure.undefined_draws >= 0.001 else "< 0.1%"
    return f"{text}; {lost} of draws undefined" if figure.undefined_draws else text


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
