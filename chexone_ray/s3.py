"""S3 clients for `storage.py`, bounded in time, and S3's own word on what is wrong.

Endpoint, region and credentials are the standard AWS ones: AWS_ENDPOINT_URL, AWS_REGION (us-east-1
by default), AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or an instance role.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from chexone_ray.errors import ChexoneError

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 60.0
MAX_ATTEMPTS = 4
DELETE_BATCH = 1000


def prepare_environment() -> None:
    """Variables that every S3 client process needs, before its first client and before Ray starts.

    S3-compatible servers refuse the trailing checksums that newer SDKs add to uploads by default.
    """
    os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    os.environ.setdefault("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")


def region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def endpoint() -> str:
    """URL of an S3-compatible server, or empty for AWS itself."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise ChexoneError(f"AWS_ENDPOINT_URL={url} is not a URL: use http(s)://host:port")
    return url


def filesystem() -> fs.FileSystem:
    """The pyarrow filesystem for the current AWS_* variables; one for each set of them."""
    prepare_environment()
    identity = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    return _filesystem(endpoint(), region(), tuple(os.environ.get(name, "") for name in identity))


@cache
def _filesystem(url: str, region_name: str, _identity: tuple[str, ...]) -> fs.FileSystem:
    _require_credentials()
    options: dict[str, Any] = {}
    if url:
        parts = urlsplit(url)
        options = {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    return fs.S3FileSystem(
        region=region_name,
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=REQUEST_TIMEOUT_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=MAX_ATTEMPTS),
        allow_delayed_open=True,  # a small object is one PUT instead of a multi-part upload
        **options,
    )


def _require_credentials() -> None:
    if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        return
    # Asked first, with a bound: without any, pyarrow looks for an instance role for a long time.
    import botocore.session

    session = botocore.session.get_session()
    session.set_config_variable("metadata_service_timeout", 2)
    session.set_config_variable("metadata_service_num_attempts", 1)
    if session.get_credentials() is None:
        raise ChexoneError(
            "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, "
            "or run with an instance role"
        )


def client(attempts: int = MAX_ATTEMPTS, read_timeout_s: float = REQUEST_TIMEOUT_S) -> Any:
    """A boto3 S3 client with the same endpoint and bounds, for what pyarrow cannot do."""
    import boto3.session
    from botocore.config import Config

    prepare_environment()
    _require_credentials()
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    # Its own session: the default one would keep the credentials of its first use.
    return boto3.session.Session().client(
        "s3", region_name=region(), endpoint_url=endpoint() or None, config=config
    )


def bucket_problem(bucket: str) -> str:
    """Why a bucket cannot be used, as S3 says, with the remedy; empty when it can."""
    import botocore.exceptions as failures

    url = endpoint()
    where = f"AWS_ENDPOINT_URL={url}" if url else f"region {region()}"
    try:
        client(attempts=1, read_timeout_s=CONNECT_TIMEOUT_S).head_bucket(Bucket=bucket)
    except failures.ClientError as error:
        code = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == 404:
            return f"bucket {bucket} does not exist at {where}; create it or check the name"
        if code in (400, 401, 403):
            return f"access to bucket {bucket} was refused at {where}; check the AWS_* credentials"
        if code == 301:
            return f"bucket {bucket} is in another region than {region()}; set AWS_REGION"
        return f"bucket {bucket} answers HTTP {code} at {where}"
    except (failures.HTTPClientError, failures.EndpointConnectionError):
        return f"no S3 server answers at {where}; check the address and the network"
    except failures.ParamValidationError:
        return f"{bucket} is no valid bucket name; check the URI"
    except failures.BotoCoreError as error:
        return f"S3 refused ({type(error).__name__}); check the AWS_* variables"
    return ""


def delete(bucket: str, keys: list[str]) -> None:
    """Delete objects; absent ones are no error. pyarrow's deletion leaves a directory marker."""
    import botocore.exceptions as failures

    s3 = client()
    try:
        for start in range(0, len(keys), DELETE_BATCH):
            objects = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            for refused in answer.get("Errors", []):
                if refused.get("Code") != "NoSuchKey":
                    raise OSError(f"S3 refused to delete: {refused.get('Code')}")
    except (failures.ClientError, failures.BotoCoreError) as error:
        raise OSError(str(error)) from error
