"""What tracing yielded: rows and texts by outcome, tokens, cost, as numbers and as a page.

Counts only: no text of a trace, a question or a report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chexone_ray.config import TraceConfig
from chexone_ray.data.traces import REASONS, Verdict
from chexone_ray.endpoints.chat_client import Asked
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.metrics.tokens import words


@dataclass
class Yield:
    """Rows by outcome: each is kept, failed, or has only texts that did not pass."""

    rows: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    """These three by question kind."""
    errors: Counter[str] = field(default_factory=Counter)
    """Failed rows by reason."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Texts that did not pass, by `data.traces.REASONS`."""
    texts: int = 0
    words: int = 0
    """Of the kept traces."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    """Rows with texts whose tokens the endpoint did not tell."""

    def add(
        self, kind: str, asked: Asked, verdicts: Sequence[Verdict], chosen: Verdict | None
    ) -> None:
        """Count one row."""
        self.rows[kind] += 1
        self.prompt_tokens += asked.prompt_tokens
        self.completion_tokens += asked.completion_tokens
        if asked.error:
            self.failed[kind] += 1
            self.errors[asked.error] += 1
            return
        self.uncounted += not asked.completion_tokens
        self.texts += len(verdicts)
        self.reasons.update(verdict.reason for verdict in verdicts if verdict.reason)
        if chosen is not None:
            self.kept[kind] += 1
            self.words += len(words(chosen.trace))

    def cost(self, config: TraceConfig) -> float | None:
        """US dollars for the tokens counted; None without prices."""
        if config.endpoint is None:
            return None
        return config.endpoint.usd(self.prompt_tokens, self.completion_tokens)


def summary(config: TraceConfig, found: Yield, skipped: int) -> dict[str, Any]:
    """The content of `report.json`."""
    kept = found.kept.total()
    return {
        "notice": RESEARCH_USE_ONLY,
        "teacher": config.teacher,
        "endpoint": config.endpoint.url if config.endpoint else None,
        "texts_a_row": config.sampling.n,
        "rows": found.rows.total(),
        "kept": kept,
        "yield": round(kept / max(found.rows.total(), 1), 4),
        "failed": found.failed.total(),
        "skipped_without_reference": skipped,
        "errors": dict(found.errors.most_common()),
        "texts": found.texts,
        "passed": found.texts - found.reasons.total(),
        "reasons": {reason: found.reasons[reason] for reason in REASONS},
        "mean_words": round(found.words / kept, 1) if kept else None,
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "rows_with_tokens_unknown": found.uncounted,
        "usd": found.cost(config),
        "kinds": {
            kind: {"rows": rows, "kept": found.kept[kind], "failed": found.failed[kind]}
            for kind, rows in sorted(found.rows.items())
        },
    }


def page(report: Mapping[str, Any]) -> str:
    """`report.json` for a reader, in Markdown."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield "# Yield of the traces"
    yield ""
    yield report["notice"]
    yield ""
    yield (
        f"Written by {report['teacher']}, which was told the answers: {report['kept']} of "
        f"{report['rows']} rows have a trace that passed ({100 * report['yield']:.1f} %), "
        f"{report['failed']} failed. {report['skipped_without_reference']} rows without a "
        "reference were not asked about."
    )
    yield ""
    price = "no price is set" if report["usd"] is None else f"US$ {report['usd']:.4f}"
    yield (
        f"{report['prompt_tokens']} prompt tokens and {report['completion_tokens']} completion "
        f"tokens: {price}. Repeats after an error are not in these numbers."
    )
    if report["rows_with_tokens_unknown"]:
        yield (
            f"Of {report['rows_with_tokens_unknown']} rows the endpoint told no tokens: the sums "
            "are too low."
        )
    yield ""
    yield from _table(
        ("kind", "rows", "kept", "failed"),
        [(kind, n["rows"], n["kept"], n["failed"]) for kind, n in report["kinds"].items()],
    )
    yield f"{report['texts']} texts, {report['passed']} passed. The first reason of a text counts:"
    yield ""
    yield from _table(("reason", "texts"), list(report["reasons"].items()))
    if report["errors"]:
        yield from _table(("failed rows", "rows"), list(report["errors"].items()))


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
    yield ""
