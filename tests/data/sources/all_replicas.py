"""Every adapter's made-up archive, and how to take its tables apart row by row."""

from __future__ import annotations

import csv
import fnmatch
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from chexone_ray.config import SourceConfig
from chexone_ray.data.sources.registry import SOURCES
from tests.data.sources import replicas_of_films as films
from tests.data.sources import replicas_of_mimic as mimic
from tests.data.sources import replicas_of_questions as questions
from tests.data.sources import replicas_of_reports as reports

REPLICAS: dict[str, Callable[[Path], None]] = {
    "mimic_cxr_jpg": reports.write_mimic_cxr_jpg,
    "chexpert": films.write_chexpert,
    "chexpert_plus": reports.write_chexpert_plus,
    "rexgradient": reports.write_rexgradient,
    "openi": reports.write_openi,
    "vindr_cxr": films.write_vindr,
    "vinbigdata": films.write_vinbigdata,
    "padchest": films.write_padchest,
    "brax": films.write_brax,
    "nih_chestxray14": films.write_nih,
    "rsna_pneumonia": films.write_rsna,
    "siim_acr": films.write_siim,
    "candid_ptx": reports.write_candid,
    "object_cxr": films.write_object_cxr,
    "ranzcr_clip": films.write_ranzcr,
    "covidx": films.write_covidx,
    "nlm_tb": films.write_nlm_tb,
    "ms_cxr": mimic.write_ms_cxr,
    "ms_cxr_t": mimic.write_ms_cxr_t,
    "chest_imagenome": mimic.write_chest_imagenome,
    "padchest_gr": reports.write_padchest_gr,
    "vindr_pcxr": films.write_vindr_pcxr,
    "cxr_lt": mimic.write_cxr_lt,
    "bimcv_covid19": films.write_bimcv,
    "tbx11k": films.write_tbx11k,
    "jsrt": films.write_jsrt,
    "roco": reports.write_roco,
    "mimic_cxr_vqa": mimic.write_mimic_cxr_vqa,
    "medical_diff_vqa": mimic.write_medical_diff_vqa,
    "mimic_nle": mimic.write_mimic_nle,
    "rexvqa": questions.write_rexvqa,
    "slake": questions.write_slake,
    "vqa_rad": questions.write_vqa_rad,
    "rad_restruct": questions.write_rad_restruct,
    "medvqa_2019": questions.write_medvqa_2019,
    "pmc_vqa": questions.write_pmc_vqa,
    "radqa": questions.write_radqa,
    "radgraph": questions.write_radgraph,
    "own_table": reports.write_own_table,
}
"""Adapter -> what writes its replica into a folder; films of another archive go to `films/`."""

Key = Callable[[Any], str]
TOGETHER: dict[tuple[str, str], Key] = {
    ("mimic_cxr_jpg", "*-split.csv"): lambda row: str(row[1]),
    ("chexpert_plus", "report_fixed.json"): lambda line: str(PurePosixPath(
        line.partition('"path_to_image": "')[2].partition('"')[0]).parent) or line,
    ("rsna_pneumonia", "*class_info.csv"): lambda row: str(row[0]),
    ("padchest_gr", "master_table.csv"): lambda row: str(row[0]),
}  # fmt: skip
"""Tables that say the same of a study in several rows, by design: (adapter, file) -> the study."""
NESTED = {
    "TBX11K_*.json": ("images", "annotations"),
    "radqa": ("data", "paragraphs", "qas"),
}
"""JSON files, or adapters, whose rows are in lists of these names."""
LINES = ("*.jsonl", "*_list.txt", "train.txt", "test.txt", "mimic-nle-*.json", "report_fixed.json",
         "CLNDAT*", "CNNDAT*", "captions.txt", "All_QA_*.txt", "VQAMed2019_*.txt")  # fmt: skip
"""Files with a row a line and no header."""
MORE = {
    "rad_restruct": "*_qa_pairs/*.json",
    "mimic_cxr_jpg": "boxes/*.csv",
}
"""Tables that `Spec.tables` does not name."""
Edit = Callable[[list[Any], int], list[Any]]


def source_of(adapter: str, root: Path) -> SourceConfig:
    spec = SOURCES[adapter]
    return SourceConfig.model_validate(
        {
            "adapter": adapter,
            "uri": str(root),
            "images_uri": str(root / "films") if spec.images_elsewhere else None,
            "boxes_uri": str(root / "boxes") if spec.boxes_elsewhere else None,
        }
    )


def table_files(adapter: str, root: Path) -> list[Path]:
    """The tables of a replica."""
    names = [name for table in SOURCES[adapter].tables for name in table.names]
    found = {root / name for name in names if (root / name).is_file()}
    return sorted(found | set(root.glob(MORE[adapter]) if adapter in MORE else ()))


def without(adapter: str, path: Path) -> Iterator[str]:
    """The text of a table without each of its rows in turn, or without those that go together."""
    pattern = next((p for a, p in TOGETHER if a == adapter and path.match(p)), "")
    key = TOGETHER[adapter, pattern] if pattern else None

    def dropped(rows: list[Any], at: int) -> list[Any]:
        if key is None:
            return [*rows[:at], *rows[at + 1 :]]
        return [row for row in rows if key(row) != key(rows[at])]

    yield from _edited(adapter, path, dropped)


def doubled(adapter: str, path: Path) -> Iterator[str]:
    """The text of a table with each of its rows twice, in turn; nothing for those whose rows go
    together, or are the values of an object."""
    if not any(a == adapter and path.match(p) for a, p in TOGETHER):
        yield from _edited(adapter, path, lambda rows, at: [*rows[: at + 1], *rows[at:]], False)


def _edited(adapter: str, path: Path, edit: Edit, objects: bool = True) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if any(fnmatch.fnmatch(path.name, pattern) for pattern in LINES):
        lines = text.splitlines()
        yield from ("\n".join(edit(lines, at)) for at in range(len(lines)))
    elif path.suffix == ".json":
        yield from _edited_json(adapter, path, text, edit, objects)
    else:
        delimiter = "," if path.suffix == ".csv" else "\t"
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for at in range(len(rows)):
            table = io.StringIO()
            csv.writer(table, delimiter=delimiter).writerows([header, *edit(rows, at)])
            yield table.getvalue()


def _edited_json(adapter: str, path: Path, text: str, edit: Edit, objects: bool) -> Iterator[str]:
    try:
        whole = json.loads(text)
    except ValueError:
        return
    names = next(
        (n for key, n in NESTED.items() if key == adapter or fnmatch.fnmatch(path.name, key)), ()
    )
    if not names and isinstance(whole, dict):
        for name in whole if objects else ():
            yield json.dumps({key: value for key, value in whole.items() if key != name})
        return
    for rows in _lists(whole, names) if names else [whole]:
        before = list(rows)
        for at in range(len(before)):
            rows[:] = edit(before, at)
            yield json.dumps(whole)
        rows[:] = before


def _lists(node: Any, names: tuple[str, ...]) -> Iterator[list[Any]]:
    """Every list under one of those names, at any depth."""
    children = node.items() if isinstance(node, dict) else [("", item) for item in node]
    for name, child in children:
        if name in names and isinstance(child, list):
            yield child
        if isinstance(child, dict | list):
            yield from _lists(child, names)
