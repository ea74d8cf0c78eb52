"""The rows of a setting as a manifest of their own: prepared from an archive, or selected."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice

from chexone_ray import storage
from chexone_ray.config import EvaluateConfig, ImageConfig, PrepareConfig, SettingData, SourceConfig
from chexone_ray.data import manifest, stream
from chexone_ray.errors import ChexoneError
from chexone_ray.evaluation.suite import SuiteSetting
from chexone_ray.identity import is_complete
from chexone_ray.parts import digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """What a setting asks: `manifest_uri` holds its rows alone, all in its split."""

    manifest_uri: str
    source_uri: str
    """The manifest that they are of; baselines are fitted on its train split, if it has one."""
    num_rows: int


def rows_of(setting: SuiteSetting, data: SettingData, config: EvaluateConfig) -> Rows:
    """The rows of a setting, written once to `<output_uri>/manifests/<setting>`.

    Settings of the same archive and kinds share what is prepared, in `<output_uri>/archives/`.

    Raises:
        ChexoneError: a kind or topic of the setting has no row, or another selection is there.
    """
    source = data.manifest_uri or _prepared(setting, data, config)
    target = storage.join(config.output_uri, "manifests", setting.name)
    selected = digest({"manifest": storage.committed(source), "setting": _selects(setting)})
    if not is_complete(target, "config_digest", selected, "a manifest"):
        _select(setting, source, target, selected)
    return Rows(target, source, stream.count_samples(target, setting.split))


def prepare_config(
    setting: SuiteSetting, data: SettingData, config: EvaluateConfig
) -> PrepareConfig:
    """The settings that prepare the held-out split of a setting's archive and nothing else."""
    from chexone_ray.data.build import config_digest

    assert setting.adapter is not None and data.uri is not None
    images = config.predict.images or ImageConfig()
    source = SourceConfig(
        adapter=setting.adapter,
        uri=data.uri,
        images_uri=data.images_uri,
        boxes_uri=data.boxes_uri,
        packed=data.packed,
        uncertain=setting.uncertain,
    )
    wanted = PrepareConfig(
        output_uri=config.output_uri,
        seed=config.seed,
        ray=config.ray,
        sources=(source,),
        kinds=setting.kinds,
        splits=(setting.split,),
        archive_splits=not setting.whole,
        **({"validate_share": 0.0, "test_share": 1.0} if setting.whole else {}),
        max_views=setting.max_views,
        max_drop_share=data.max_drop_share,
        images=images,
    )
    folder = f"{setting.adapter}-{config_digest(wanted)[:12]}"
    return wanted.model_copy(
        update={"output_uri": storage.join(config.output_uri, "archives", folder)}
    )


def _prepared(setting: SuiteSetting, data: SettingData, config: EvaluateConfig) -> str:
    from chexone_ray.data.build import prepare

    return prepare(prepare_config(setting, data, config))


def _selects(setting: SuiteSetting) -> dict[str, object]:
    """What decides which rows are of the setting."""
    names = {"adapter", "split", "kinds", "topics", "max_images", "num_boxes", "max_rows"}
    return setting.model_dump(mode="json", include=names)


def _select(setting: SuiteSetting, source: str, target: str, selected: str) -> None:
    rows = filter(setting.is_of, stream.iter_samples(source, setting.split, setting.kinds))
    writer = manifest.SampleWriter(target)
    lacking = {f"kind {one}" for one in setting.kinds} | {f"topic {one}" for one in setting.topics}
    number = 0
    for sample in islice(rows, setting.max_rows):
        writer.add(sample)
        lacking -= {f"kind {sample.kind}", f"topic {sample.topic}"}
        number += 1
    while lacking and (rest := next(rows, None)) is not None:  # behind `max_rows`
        lacking -= {f"kind {rest.kind}", f"topic {rest.topic}"}
    if lacking:
        what = f"row of {', '.join(sorted(lacking))}" if number else "row of it"
        raise ChexoneError(
            f"setting {setting.name}: {source} has no {what} in split {setting.split}: check "
            f"evaluate.data.{setting.name}, its kinds, topics and other filters"
        )
    info = manifest.selection_info(source, writer.units)
    own = {"config_digest": selected, "selected_from": source, "selected": _selects(setting)}
    writer.finish(info | own)
    logger.info("suite: %d rows selected for a setting of group %s", number, setting.group)
