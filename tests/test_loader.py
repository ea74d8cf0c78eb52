"""The order of the layers, flags of every type, and refusals by name."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from chexone_ray.config import (
    STAGES,
    EvaluateConfig,
    FiguresConfig,
    FilterConfig,
    PredictConfig,
    PrepareConfig,
    RayConfig,
    SamplingConfig,
    ServeConfig,
    Settings,
    SftConfig,
    TinyModelConfig,
    loader,
    setting_texts,
    setting_tree,
)
from chexone_ray.errors import ChexoneError

NEEDED = "--out o --model m --manifest n"


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return str(path)


def sft(*words: str) -> SftConfig:
    return loader.load(SftConfig, loader.parse([*NEEDED.split(), *words]))


def refused(model: type[Settings], *words: str) -> str:
    with pytest.raises(ChexoneError) as caught:
        loader.load(model, loader.parse(words))
    return str(caught.value)


def test_files_left_to_right_then_flags(tmp_path: Path) -> None:
    base = write(tmp_path, "a.toml", "epochs = 2\n[optim]\nlr = 1e-5\nbetas = [0.8, 0.9]\n")
    mine = write(tmp_path, "b.toml", "[optim]\nlr = 2e-5\nweight_decay = 0\n")
    config = sft("--config", base, mine, "--optim.weight_decay", "0.3")
    assert (config.epochs, config.optim.lr, config.optim.weight_decay) == (2.0, 2e-5, 0.3)
    assert config.optim.betas == (0.8, 0.9)
    assert sft("--config", mine, base).optim.lr == 1e-5
    assert sft("--optim.lr", "1e-3", "--config", mine).optim.lr == 1e-3, (
        "flags win wherever they are"
    )


def test_a_part_of_a_table_keeps_the_stage_default_of_the_rest() -> None:
    config = loader.load(
        FilterConfig, loader.parse([*NEEDED.split(), "--sampling.max_tokens", "64"])
    )
    assert (config.sampling.n, config.sampling.temperature) == (8, 1.0)
    assert config.sampling.max_tokens == 64


def test_flags_of_every_type(tmp_path: Path) -> None:
    config = loader.load(
        PrepareConfig,
        loader.parse(
            [
                "--output-uri=s3://b/x=y",
                "--sources",
                '[{adapter = "vindr_cxr", uri = "s3://b/v"}]',
                "--kinds",
                "presence, side",
                "--max_per_kind.presence",
                "100",
                "--max_per_kind.side=20",
                "--archive_splits",
                "false",
                "--group_by_study",
            ]
        ),
    )
    assert config.output_uri == "s3://b/x=y"
    assert config.sources[0].adapter == "vindr_cxr"
    assert config.kinds == ("presence", "side")
    assert config.max_per_kind == {"presence": 100, "side": 20}
    assert (config.archive_splits, config.group_by_study) == (False, True)
    assert sft("--prompts.system=").prompts.system == ""
    assert sft("--optim.betas", "[0.5, 0.6]").optim.betas == (0.5, 0.6)
    assert sft("--optim.betas", "0.5,0.6").optim.betas == (0.5, 0.6)
    assert sft("--kind_weights", "{a = 2, b = 0.5}").kind_weights == {"a": 2.0, "b": 0.5}
    layer = write(tmp_path, "n.toml", "max_steps = 5\n")
    assert sft("--config", layer).max_steps == 5
    assert sft("--config", layer, "--max_steps", "none").max_steps is None
    assert sft("--config", layer, write(tmp_path, "o.toml", 'max_steps = "none"')).max_steps is None
    short = loader.load(TinyModelConfig, loader.parse(["--out", "x", "--random"]))
    assert (short.output_uri, short.random) == ("x", True)


def test_a_table_of_tables_is_filled_by_flags_and_told_by_name(tmp_path: Path) -> None:
    given = "--out o --suite s --models.A.model m --models.B.predictions p --models.A.mode instruct"
    nested = "--data.x.packed a,b --data.x.uri u --predict.images.max_pixels 9999"
    config = loader.load(EvaluateConfig, loader.parse([*given.split(), *nested.split()]))
    assert (config.models["A"].model_uri, config.models["A"].mode) == ("m", "instruct")
    assert config.models["B"].predictions_uri == "p"
    assert (config.data["x"].uri, config.data["x"].packed) == ("u", ("a", "b"))
    assert config.predict.images is not None and config.predict.images.max_pixels == 9999
    whole = loader.parse(["--out", "o", "--suite", "s", "--models.A", "{model_uri = 'm'}"])
    assert loader.load(EvaluateConfig, whole).models["A"].model_uri == "m"
    path = write(tmp_path, "s.toml", "suite = 's'\n[models.A]\nmodel_ur = 'm'\n")
    told = refused(EvaluateConfig, "--out", "o", "--config", path)
    assert "unknown key models.A.model_ur; did you mean model_uri?" in told
    assert "models.A.modes: unknown setting" in refused(EvaluateConfig, "--models.A.modes", "x")


def test_words_before_the_flags_are_the_positional_list(tmp_path: Path) -> None:
    layer = write(tmp_path, "f.toml", 'runs_uri = ["a"]\noutput_uri = "o"\n')
    words = ["s3://b/x,y", "runs/sft", "--config", layer, "--cards_per_kind", "2"]
    config = loader.load(FiguresConfig, loader.parse(words))
    assert config.runs_uri == ("s3://b/x,y", "runs/sft"), "as flags do, they win over files"
    assert (config.output_uri, config.cards_per_kind) == ("o", 2)
    assert loader.load(FiguresConfig, loader.parse(["--config", layer])).runs_uri == ("a",)
    listed = loader.parse(["--runs", "a,b", "--out", "o"])
    assert loader.load(FiguresConfig, listed).runs_uri == ("a", "b")
    assert "runs_uri is required" in refused(FiguresConfig, "--out", "o")
    assert "stray: not expected here" in refused(FiguresConfig, "a", "--out=o", "stray")
    assert "a: not expected here" in refused(SftConfig, "a", *NEEDED.split())
    both = refused(FiguresConfig, "a", "b", "--runs", "c", "--out", "o")
    assert both == "a and --runs: both give runs_uri; keep one of them"


def test_an_optional_table_is_filled_by_its_keys() -> None:
    assert loader.load(ServeConfig, loader.parse(["--model", "m"])).images is None
    config = loader.load(ServeConfig, loader.parse(["--model", "m", "--images.max_pixels", "9999"]))
    assert config.images is not None and config.images.max_pixels == 9999


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--optim.lrr 1", "--optim.lrr: unknown setting; did you mean optim.lr?"),
        ("--lr 1", "--lr: unknown setting; did you mean optim.lr?"),
        ("--zzz 1", "--zzz: unknown setting; see --help for all settings"),
        ("--optim 1", "--optim is a table: set one of its keys, such as --optim.KEY VALUE"),
        ("--optim.lr -1", "optim.lr='-1': input should be greater than 0"),
        ("--optim.lr", "--optim.lr needs a value"),
        ("--epochs many", "epochs='many': input should be a valid number"),
        (
            "--trainer.use_gpu false --trainer.attention flash_attention_2",
            'trainer.attention="flash_attention_2" needs a GPU: use "sdpa"',
        ),
        ("--optim.cycle_decay 0.5", "optim.cycle_decay has no effect with optim.cycles=1"),
        (
            "--optim.schedule constant --optim.final_ratio 0.1",
            'optim.final_ratio has no effect with optim.schedule="constant"',
        ),
        ("stray", "stray: not expected here"),
        ("--kind_weights 3", "--kind_weights is a table"),
        ("--kind_weights.a x", "kind_weights.a='x': input should be a valid number"),
        ("--kind_weights {a=", "not a TOML value"),
        ("--config", "--config needs at least one TOML file"),
        ("--config /no/such.toml", "no such file"),
    ],
)
def test_refusals_name_the_key(words: str, message: str) -> None:
    answer = refused(SftConfig, *NEEDED.split(), *words.split())
    assert message in answer and "\n" not in answer


def test_a_text_for_a_table_names_the_uri_that_may_be_meant(tmp_path: Path) -> None:
    assert refused(PredictConfig, "--images", "X") == (
        "--images is a table: set one of its keys, such as --images.KEY VALUE; "
        "did you mean images_uri?"
    )
    path = write(tmp_path, "p.toml", "images = 'X'\n")
    told = refused(PredictConfig, "--config", path)
    assert told.endswith("images is a table, not 'X': write [images]; did you mean images_uri?")


def test_missing_values_are_one_line_each() -> None:
    lines = refused(SftConfig, "--optim.lr", "0").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("output_uri is required: give --output_uri")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optim]\nlearning_rate = 1\n", "unknown key optim.learning_rate"),
        ("[optimm]\nlr = 1\n", "unknown key optimm; did you mean optim?"),
        ("optim = 3\n", "optim is a table, not 3"),
        ("lr = [", "not valid TOML"),
        ("[ray]\nnum_cpus = 2\n", "ray.num_cpus has no effect"),
    ],
)
def test_refusals_in_files(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, "bad.toml", text)
    assert message in refused(SftConfig, *NEEDED.split(), "--config", path)


def test_nothing_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EPOCHS", "epochs", "CHEXONE_EPOCHS", "OPTIM__LR", "optim"):
        monkeypatch.setenv(name, "99")
    assert sft().epochs == 1.0


@pytest.mark.parametrize("stage", STAGES)
def test_help_lists_every_leaf_with_its_sentence(stage: str) -> None:
    text = setting_texts.describe(STAGES[stage])
    for key, field in setting_tree.fields(STAGES[stage]):
        if not hasattr(field.annotation, "model_fields") and "." not in key:
            flag = re.search(rf"^  --{key}(, --\w+)?  ", text, re.MULTILINE)
            assert flag or f"  {key}  TABLE" in text
            assert field.description and field.description in text


def test_a_resolved_config_loads_again() -> None:
    config = sft("--optim.cycles", "2", "--kind_weights.a", "3")
    assert SftConfig.model_validate(config.model_dump(mode="json")) == config
    assert RayConfig().address == "auto"


def test_the_seed_of_a_stage_is_that_of_its_sampling() -> None:
    drawn = SamplingConfig(n=4, temperature=1.0)
    assert drawn.seeded(7) == drawn.model_copy(update={"seed": 7})
    own = drawn.model_copy(update={"seed": 0})
    assert own.seeded(7) == own, "a seed of its own stays, 0 too"
    assert SamplingConfig().seeded(7).seed is None, "greedy answers need none"


def test_what_is_wrong_inside_a_list_is_told_once_and_with_a_guess(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text('output_uri = "x"\n[[sources]]\nadapter = "nih"\nurl = "y"\n')
    with pytest.raises(ChexoneError) as told:
        loader.load(PrepareConfig, loader.parse(["--config", str(config)]))
    lines = str(told.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(
        "sources.0.adapter='nih': not known; did you mean nih_chestxray14? There are mimic_cxr_jpg,"
    )
    assert lines[1:] == [
        "sources.0.uri is required: set it in a TOML file",
        "unknown key sources.0.url; did you mean uri?",
    ]
    words = ["--output_uri", "x", "--sources", "[{adapter='slake', uri='y', uncertain='u-one'}]"]
    with pytest.raises(ChexoneError) as told:
        loader.load(PrepareConfig, loader.parse(words))
    assert str(told.value) == (
        "sources.0.uncertain='u-one': use keep or u-zeros or u-ones or u-ignore"
    )


@pytest.mark.parametrize(
    ("stage", "key", "shown"),
    [
        ("trace", "output_uri", "--output_uri, --out  TEXT"),
        ("trace", "manifest_uri", "--manifest_uri, --manifest  TEXT"),
        ("trace", "texts_uri", "--texts_uri, --texts  TEXT"),
        ("predict", "images_uri", "--images_uri  TEXT"),  # --images is a table of its own
        ("demo", "output", "--output, --out  TEXT"),
        ("trace", "seed", "--seed  INTEGER"),
    ],
)
def test_help_shows_the_short_flags_that_work(stage: str, key: str, shown: str) -> None:
    assert f"  {shown}" in setting_texts.describe(STAGES[stage])
    for flag in shown.partition("  ")[0].split(", "):
        assert setting_tree.full_name(STAGES[stage], flag[2:]) == key


def test_the_tiny_model_says_how_long_it_takes_and_how_to_have_it_sooner() -> None:
    assert "minutes, seconds with --random true" in str(STAGES["tiny-model"].__doc__)
    assert "seconds, not minutes" in setting_texts.describe(STAGES["tiny-model"])
