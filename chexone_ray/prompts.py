r"""Question -> chat messages, and the text that training teaches, in both modes.

The reasoning suffix "default" is our own wording; "original" is the string that the published model
was trained with, doubled braces included; anything else is taken as the suffix itself.
"""

from __future__ import annotations

import re
from typing import Any

from chexone_ray.answers import boxed
from chexone_ray.config import PromptConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.records import Mode

DEFAULT_SUFFIX = "Reason step by step, then give only the final answer in \\boxed{}."
ORIGINAL_SUFFIX = "Please reason step by step, and put your final answer within \\boxed{{}}."

FINDINGS_QUESTION = "Write the findings of this film."
"""What is asked where the caller gives no question."""
INDICATION = "Indication: {indication}."

_CONTROL = re.compile(r"<\|(?:im_start|im_end|endoftext|(?:vision|image|video)_\w+)\|>")


def control_token(text: str) -> str:
    """The first control token of the chat template in `text`, or nothing."""
    found = _CONTROL.search(text)
    return found.group() if found else ""


def question_text(question: str, mode: Mode, config: PromptConfig) -> str:
    """The question as asked: in reasoning mode with the suffix after one space, once.

    Raises ChexoneError where the question holds a control token of the chat template.
    """
    found = control_token(question)
    if found:
        raise ChexoneError(f"question contains the control token {found}: remove it")
    suffix = _suffix(config)
    if mode == "instruct" or not suffix or question.endswith(suffix):
        return question
    return f"{question} {suffix}"


def messages(
    question: str, num_images: int, mode: Mode, config: PromptConfig
) -> list[dict[str, Any]]:
    """Chat messages: a system turn if configured, then one user turn, images before the text."""
    content: list[dict[str, str]] = [{"type": "image"} for _ in range(num_images)]
    content.append({"type": "text", "text": question_text(question, mode, config)})
    turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if config.system:
        turns.insert(0, {"role": "system", "content": [{"type": "text", "text": config.system}]})
    return turns


def target(answer: str, reasoning: str, mode: Mode) -> str:
    """What the model is taught to say: the trace and the boxed answer, or the plain answer."""
    if mode == "instruct":
        return answer
    return f"{reasoning} {boxed(answer)}" if reasoning else boxed(answer)


def render(tokenizer: Any, turns: list[dict[str, Any]]) -> str:
    """The chat text up to the start of the answer, one unexpanded image placeholder an image.

    `tokenizer` is a Hugging Face tokenizer or processor with a chat template.
    """
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert isinstance(text, str)
    return text


def _suffix(config: PromptConfig) -> str:
    if config.suffix == "default":
        return DEFAULT_SUFFIX
    return ORIGINAL_SUFFIX if config.suffix == "original" else config.suffix.strip()
