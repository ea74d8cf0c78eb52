"""What may lie where an evaluation is written: an earlier one of the same settings, or nothing."""

from __future__ import annotations

from chexone_ray import identity, storage
from chexone_ray.config import EvaluateConfig, Settings

SUITE_FILE = "suite.json"
JUDGEMENTS_FILE = "judgements.json"
FILES = frozenset(
    {
        "table.json",
        "table.md",
        "table.tex",
        "table.html",
        "differences.json",
        "outcomes.json",
        "rows.parquet",
        SUITE_FILE,
        JUDGEMENTS_FILE,
        storage.SETTINGS_FILE,
        storage.COMMIT_FILE,
    }
)
SUITE_FOLDERS = frozenset({"manifests", "archives", "predictions"})
_ELSEWHERE = frozenset({"output_uri", "ray", "text_tasks"})
"""Settings that no figure depends on."""
_GROWS = frozenset({"models", "data", "settings", "predict"})
"""Settings of a suite that may change: its answers know themselves what they were made with."""


def refuse(uri: str, config: Settings | None) -> None:
    """Nothing where `uri` is empty or an evaluation that `config` may do again.

    Raises:
        ChexoneError: other files are there, or a committed evaluation of other settings.
    """
    of_suite = isinstance(config, EvaluateConfig) and config.suite is not None
    folders = SUITE_FOLDERS if of_suite else frozenset[str]()
    identity.refuse_foreign(uri, "an evaluation", FILES, folders)
    place = storage.join(uri, storage.SETTINGS_FILE)
    if config is None or storage.committed(uri) is None or not storage.exists(place):
        return
    left_out = _ELSEWHERE | (_GROWS if of_suite else frozenset())
    names = identity.differing(
        identity.recorded(place, left_out), identity.content(config, left_out)
    )
    if names:
        raise identity.other(uri, "an evaluation", names)
