"""A processor with the two methods that MAIRA-2's own code has, for a tiny LLaVA."""

from typing import Any

from transformers import LlavaProcessor


class StandInProcessor(LlavaProcessor):
    """Writes what it was given into the prompt, so that a test can read it there."""

    def _made(self, films: list[Any], told: str, **more: Any) -> Any:
        shown = [film for film in films if film is not None]
        text = "<image>" * len(shown) + told
        return self(text=[text], images=shown, **more)

    def format_and_preprocess_reporting_input(
        self,
        current_frontal: Any,
        current_lateral: Any,
        prior_frontal: Any,
        indication: str | None,
        technique: str | None,
        comparison: str | None,
        prior_report: str | None,
        get_grounding: bool = False,
        **more: Any,
    ) -> Any:
        """A report."""
        assert technique is comparison is prior_report is None and not get_grounding
        films = [current_frontal, current_lateral, prior_frontal]
        return self._made(films, f"report {indication}", **more)

    def format_and_preprocess_phrase_grounding_input(
        self, frontal_image: Any, phrase: str, **more: Any
    ) -> Any:
        """A phrase."""
        return self._made([frontal_image], f"phrase {phrase}", **more)
