"""Every tokenisation on texts cut by hand, and against the packages that define them."""

from __future__ import annotations

import pytest

from chexone_ray.metrics import tokenise
from chexone_ray.metrics.porter import stem
from tests.metrics.made_up import texts

REPORT = "Heart size: normal, 1.5 cm. No follow-up (yet); it isn't 50%!"


def test_each_convention_on_one_report() -> None:
    cut = {name: " ".join(tokens(REPORT)) for name, tokens in tokenise.TOKENISERS.items()}
    assert cut == {
        "ptb": "heart size normal 1.5 cm no follow-up yet it is n't 50 %",
        "words": "Heart size : normal , 1.5 cm . No follow-up ( yet ) ; it isn't 50 % !",
        "rexrank": "heart size: normal, 1 .5 cm . no follow-up (yet); it isn't 50%!",
        "rouge": "heart size normal 1 5 cm no follow up yet it isn t 50",
    }


@pytest.mark.parametrize("name", tokenise.TOKENISERS)
def test_an_empty_text_has_no_tokens(name: str) -> None:
    assert tokenise.TOKENISERS[name]("") == ()
    assert tokenise.TOKENISERS[name](" \n ") == ()
    assert tokenise.TOKENISERS[name]("Clear") in (("clear",), ("Clear",))


def test_rexrank_cuts_at_spaces_alone_as_the_boards_script() -> None:
    assert tokenise.rexrank("Clear.\nNo  edema.\n") == ("clear", ".\nno", "edema", ".\n")
    assert tokenise.rexrank("Clear. \n No\tedema.") == ("clear", ".", "\n", "no\tedema", ".")
    for text in texts(3, 400):
        assert list(tokenise.rexrank(text)) == [
            token for token in text.lower().replace(".", " .").split(" ") if token
        ]


def test_ptb_drops_punctuation_alone_and_keeps_what_is_in_words() -> None:
    assert tokenise.ptb('- "A" -- b, `c` {d} [e]... ?') == ("a", "b", "c", "d", "e")
    assert tokenise.ptb("patient's and/or 10:30 3/4 ___ 2,300mL") == (
        *("patient", "'s", "and/or", "10:30", "3/4", "___", "2,300", "ml"),
    )


def test_words_keeps_numbers_whole_and_splits_after_them() -> None:
    assert tokenise.words("T12. 1.5-cm &lt;2 end-\nplate a.b") == (
        *("T12", ".", "1.5", "-", "cm", "<", "2", "endplate", "a", ".", "b"),
    )


def test_words_is_sacrebleus_13a() -> None:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    oracle = Tokenizer13a()
    for text in [REPORT, *texts(1, 400)]:
        assert list(tokenise.words(text)) == oracle(text.rstrip()).split()


def test_rouge_is_rouge_scores_with_and_without_stemming() -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    plain, stemming = DefaultTokenizer(), DefaultTokenizer(use_stemmer=True)
    for text in [REPORT, *texts(2, 400)]:
        tokens = tokenise.rouge(text)
        assert list(tokens) == plain.tokenize(text)
        assert list(tokenise.stemmed(tokens)) == stemming.tokenize(text)


def test_short_tokens_are_not_stemmed() -> None:
    assert tokenise.stemmed(("gas", "gases", "was", "lungs")) == ("gas", "gase", "was", "lung")


STEMS = (
    "caresses:caress ponies:poni dies:die spied:spi agreed:agre feed:feed plastered:plaster "
    "hopping:hop falling:fall filing:file conflated:conflat sized:size happy:happi enjoy:enjoy "
    "sky:sky relational:relat conditional:condit radically:radic hopefulness:hope "
    "electricity:electr adoption:adopt probate:probat rate:rate cease:ceas controll:control "
    "roll:roll effusions:effus opacities:opac hilar:hilar on:on dying:die geology:geolog"
)


@pytest.mark.parametrize("pair", STEMS.split())
def test_stems_by_hand(pair: str) -> None:
    word, expected = pair.split(":")
    assert stem(word) == expected


def test_stems_are_nltks() -> None:
    import random

    from nltk.stem.porter import PorterStemmer

    from chexone_ray.metrics import porter

    endings = [*porter._STEP_4, *(end for end, _ in porter._STEP_2 + porter._STEP_3)]
    endings += [
        "s",
        "es",
        "ies",
        "sses",
        "ed",
        "eed",
        "ied",
        "ing",
        "y",
        "ly",
        "e",
        "ll",
        "logi",
        "logy",
        "fully",
        "ally",
        "bly",
        "ities",
    ]
    draw = random.Random(3)
    made = [
        "".join(draw.choices("aeiouybcdlmnrstwxz", k=draw.randint(0, 7))) + draw.choice(endings)
        for _ in range(20_000)
    ]
    oracle = PorterStemmer()
    for word in [*made, *porter._IRREGULAR]:
        assert stem(word) == oracle.stem(word), word
