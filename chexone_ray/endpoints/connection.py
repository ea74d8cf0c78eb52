"""The connection to an OpenAI-compatible endpoint: the official client with nothing ambient."""

from __future__ import annotations

import logging
import os
from typing import Any
from urllib.parse import urlsplit

from chexone_ray import ports
from chexone_ray.config import EndpointConfig
from chexone_ray.errors import ChexoneError


def probe(endpoint: EndpointConfig) -> None:
    """Raise ChexoneError where nobody listens: the client would try again for every row."""
    parts = urlsplit(endpoint.url)
    try:
        ports.probe(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    except OSError as error:
        raise ChexoneError(
            f"endpoint.url={endpoint.url}: no server answers at {endpoint.host} "
            f"({error.strerror or error}): start it, or check the address"
        ) from error


def client(endpoint: EndpointConfig) -> Any:
    """The official client, kept from what it would take out of the environment by itself.

    Raises ChexoneError where the variable of the key is not set.
    """
    import openai

    key = "none"
    if endpoint.api_key_env is not None:
        key = os.environ.get(endpoint.api_key_env, "")
        if not key:
            raise ChexoneError(
                f"endpoint.api_key_env={endpoint.api_key_env}: no such environment variable is "
                "set; put the key there"
            )

    async def only_ours(request: Any) -> None:
        headers = _headers(key, request.url.netloc.decode("ascii"), len(request.content))
        for name in list(request.headers):
            del request.headers[name]
        request.headers.update(headers)

    # OPENAI_LOG=debug makes some versions of the client log whole requests, report text among them.
    logging.getLogger("openai").setLevel(logging.WARNING)
    # A proxy from the environment, or a redirect, would carry text off a machine that was to keep
    # it, or to a host that nobody consented to. The client also takes an organisation, a project
    # and any further header (OPENAI_CUSTOM_HEADERS) from there, which may be secrets.
    http = openai.DefaultAsyncHttpxClient(
        trust_env=False,
        follow_redirects=False,
        timeout=endpoint.timeout_s,
        event_hooks={"request": [only_ours]},
    )
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=endpoint.url,
        timeout=endpoint.timeout_s,
        max_retries=0,  # ours: a refusal counts for all requests, see `_repeated`
        http_client=http,
    )


def _headers(key: str, host: str, length: int) -> dict[str, str]:
    """All headers of a request."""
    return {
        "Host": host,
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "chexone-ray",
    }
