"""Chest ImaGenome: what the reports of MIMIC-CXR say of each region of a film, one study a film.

Silver, made by rules: `silver_dataset/scene_graph/<dicom_id>_SceneGraph.json`, in that folder or in
`silver_dataset/scene_graph.zip` as released, of the films that `silver_dataset/splits/` names.
Gold, checked by hand: `gold_dataset/gold_object_attribute_with_coordinates.txt` and
`gold_object_comparison_with_coordinates.txt` (tab separated); its films and those of
`images_to_avoid.csv` count as test, whatever `archive_splits` says. The images are those of
MIMIC-CXR-JPG, under `images_uri`.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from chexone_ray import storage
from chexone_ray.config import SourceConfig
from chexone_ray.data.sources import imagenome_gold, mimic_cxr_jpg, mimic_films, tables
from chexone_ray.data.sources.losses import Losses
from chexone_ray.data.sources.mimic_films import Film
from chexone_ray.data.sources.pending import CSV_STEP, PendingStudy, in_order, on_image
from chexone_ray.data.sources.scene_graphs import graph_phrases, graph_prior
from chexone_ray.data.sources.spec import Spec, Table
from chexone_ray.data.splits import most_held_out
from chexone_ray.errors import ChexoneError
from chexone_ray.records import ImageRef, Phrase, Study

DATASET = "chest_imagenome"
COLUMNS = ("subject_id", "study_id", "dicom_id")
AVOID = "images_to_avoid"
SPLITS = {
    name: Table((f"silver_dataset/splits/{name}.csv",), COLUMNS, True)
    for name in ("train", "valid", "test", AVOID)
}
GRAPHS = "silver_dataset/scene_graph"
READ_THREADS = 8
READ_AT_ONCE = 256


def studies(source: SourceConfig, archive_splits: bool) -> tuple[list[PendingStudy], Losses]:
    """All films with a phrase as studies, by patient and name, and what was left out by reason.

    Gold goes before silver where a film has both. Raises ChexoneError where `images_uri` or every
    table is missing.
    """
    root = mimic_films.films_root(source)
    losses = Losses()
    films, split_of, avoided = _films(source.uri, losses)
    gold = imagenome_gold.read(source.uri, losses)
    if not films and not gold:
        raise ChexoneError(f"{_missing(source.uri)}: {CSV_STEP}")
    silver = [name for name in films if name not in gold]
    checked = ((name, film.prior, film.phrases, film.place) for name, film in gold.items())
    others = mimic_films.known_films(root) if gold.keys() - films.keys() else {}
    films = others | films
    found = []
    for name, prior, phrases, place in chain(checked, _silver(source.uri, silver, losses)):
        if name not in films:
            losses.lose("film_not_found", place)
        elif not phrases:
            losses.lose("study_without_phrase", place)
        else:
            if prior and prior not in films:
                losses.lose("prior_film_not_found", place)
            split = "test" if name in gold else split_of[name]
            if name not in gold and name not in avoided and not archive_splits:
                split = ""
            item = _study(root, films[name], films.get(prior), phrases)
            found.append(item.with_split(split))
    return in_order(found), losses


def test_patients(source: SourceConfig) -> tuple[dict[str, str], Losses]:
    """The patients of the gold tables, of the films to avoid and of the lists to validate and to
    test on -> the split of the film that is held out most. No scene graph is read.

    Raises ChexoneError where `images_uri` or every table is missing.
    """
    root = mimic_films.films_root(source)
    losses = Losses()
    films, split_of, _ = _films(source.uri, losses)
    gold = imagenome_gold.first_rows(source.uri)
    if not films and not gold:
        raise ChexoneError(f"{_missing(source.uri)}: {CSV_STEP}")
    films = (mimic_films.known_films(root) if gold.keys() - films.keys() else {}) | films
    splits: dict[str, list[str]] = defaultdict(list)
    for name, place in gold.items():
        if name in films:
            splits[films[name].subject].append("test")
        else:
            losses.lose("film_not_found", place)
    for name, split in split_of.items():
        if split != "train":
            splits[films[name].subject].append(split)
    return {patient: most_held_out(found) for patient, found in splits.items()}, losses


def _missing(root: str) -> str:
    uri = storage.join(root, "silver_dataset/splits/train.csv")
    return f"{uri} is missing or empty, and so is gold_dataset/"


def _films(root: str, losses: Losses) -> tuple[dict[str, Film], dict[str, str], set[str]]:
    """dicom_id -> film and dicom_id -> split, by the lists, and the films to avoid, which count as
    test."""
    films: dict[str, Film] = {}
    split_of: dict[str, str] = {}
    avoided: set[str] = set()
    for split, table in SPLITS.items():
        for row in tables.rows_if_there(root, table):
            subject, study, name = (row[column] for column in COLUMNS)
            avoid = split == AVOID
            if not (subject and study and name):
                losses.lose("row_without_id", row.place)
            elif name in (avoided if avoid else films):
                losses.lose("duplicate_row", row.place)
            else:
                films[name] = Film(subject, study, name, mimic_cxr_jpg.view_of(row))
                split_of[name] = "test" if avoid else split
                if avoid:
                    avoided.add(name)
    return films, split_of, avoided


def _silver(
    root: str, names: Sequence[str], losses: Losses
) -> Iterator[tuple[str, str, list[Phrase], str]]:
    """dicom_id, that of the film before, the phrases and where they are from, by the scene graphs
    that can be read."""
    for name, data in _graphs(root, names):
        place = storage.join(root, GRAPHS, _file_name(name))
        try:
            graph = json.loads(data) if data is not None else None
        except ValueError:
            losses.lose("unparsable_row", place)
            continue
        if isinstance(graph, dict):
            yield name, graph_prior(graph), graph_phrases(graph, losses, place), place
        else:
            losses.lose("scene_graph_missing", place)


def _graphs(root: str, names: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """dicom_id and its scene graph, None where there is none: from the zip, else from the folder.

    Neither is held in memory as a whole: the graphs of all films are some 20 GB of text.
    """
    packed = storage.join(root, f"{GRAPHS}.zip")
    if names and storage.exists(packed):
        yield from _packed_graphs(packed, names)
        return
    folder = storage.join(root, GRAPHS)
    with ThreadPoolExecutor(READ_THREADS) as pool:
        for start in range(0, len(names), READ_AT_ONCE):
            some = names[start : start + READ_AT_ONCE]
            uris = [storage.join(folder, _file_name(name)) for name in some]
            yield from zip(some, pool.map(storage.read_if_there, uris), strict=True)


def _file_name(dicom_id: str) -> str:
    return f"{dicom_id}_SceneGraph.json"


def _packed_graphs(uri: str, names: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    system, path = storage.filesystem(uri)
    try:
        with system.open_input_file(path) as file, zipfile.ZipFile(file) as archive:
            places = {info.filename.rpartition("/")[2]: info for info in archive.infolist()}
            for name in names:
                info = places.get(_file_name(name))
                yield name, archive.read(info) if info else None
    except (zipfile.BadZipFile, ValueError) as error:  # pyarrow's, where a place is out of reach
        raise ChexoneError(f"{uri} is a damaged zip file ({error}): fetch it again") from error


def _study(root: str, film: Film, prior: Film | None, phrases: list[Phrase]) -> PendingStudy:
    images = [ImageRef(film.uri(root), film.view)]
    if prior is not None and any(phrase.change for phrase in phrases):
        images.insert(0, ImageRef(prior.uri(root), prior.view, role="prior"))
    placed = tuple(on_image(phrase, len(images) - 1) for phrase in phrases)
    study = Study(DATASET, film.subject, film.dicom_id, tuple(images))
    return PendingStudy(study, pixel_phrases=placed, default_view="frontal")


SPEC = Spec(
    title="Chest ImaGenome",
    access="credentialed",
    images=mimic_films.IMAGES,
    labels="findings and changes by region, by rules from reports; 1,000 films by hand",
    tables=(*SPLITS.values(), imagenome_gold.ATTRIBUTES, imagenome_gold.COMPARISONS),
    read=studies,
    images_elsewhere=True,
    test_patients=test_patients,
    patients="mimic",
)
