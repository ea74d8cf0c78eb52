"""A BERT with random weights and a vocabulary of a few words of reports, for tests."""

from __future__ import annotations

from pathlib import Path

WORDS = (
    *("no", "left", "right", "small", "large", "pleural", "effusion", "edema", "the", "heart"),
    *("is", "normal", "enlarged", "there", "a", "of", "mild", "opacity", "in", "lung", "lobe"),
    *("lower", "upper", "pneumonia", "possible", "stable", ".", ","),
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write(folder: Path, layers: int = 3, hidden: int = 16, positions: int = 40) -> Path:
    """Write model, configuration and tokenizer; the same numbers every time."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=positions,
        **dict(zip(names, SPECIAL, strict=True)),
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder
