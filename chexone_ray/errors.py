"""Errors that a user caused: one clear line that names the thing, its value and the remedy."""


class ChexoneError(ValueError):
    """Something that the user can put right. The message is complete in itself and pickles."""


class StorageError(ChexoneError):
    """Object storage or a disk does not answer: the one error that may be gone a while later."""


class WeightsLost(ChexoneError):
    """Pushed weights are gone with the process that held them; the engines are as they were."""


class ImageError(ChexoneError):
    """An image that cannot be used. `reason` is a short stable code for drop counts."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
