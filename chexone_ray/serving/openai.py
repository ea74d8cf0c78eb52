"""A checkpoint as an OpenAI-compatible endpoint on Ray Serve.

`build` is the application builder of `serve run` and serve/serve_config.yaml; `start` and `serve`
run the same application from Python and from the command line.
"""

from __future__ import annotations

import errno
import logging
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from chexone_ray import checkpoints, s3
from chexone_ray.config import ServeConfig
from chexone_ray.errors import ChexoneError
from chexone_ray.log import RESEARCH_USE_ONLY, Waiting
from chexone_ray.serving.resources import INGRESS_CPUS, bundles, require

if TYPE_CHECKING:
    from ray.serve import Application

logger = logging.getLogger(__name__)

APPLICATION = "chexone"
INGRESS_REQUESTS = 1000
MAX_START_FAILURES = 2
DRAIN_S = 10.0
POLL_S = 0.5
WATCH_S = 5.0


def check(config: ServeConfig) -> None:
    """What can be known before anything starts. Raises ChexoneError: port, model or setting."""
    limit = checkpoints.max_length(config.model_uri)
    if limit is not None and config.engine.max_model_len > limit:
        raise ChexoneError(
            f"engine.max_model_len={config.engine.max_model_len} is above the {limit} tokens that "
            f"{config.model_uri} was made for: lower it"
        )
    if config.port and not config.ray.address.startswith("ray://"):
        _require_free(config.host, config.port)


def build(config: ServeConfig) -> Application:
    """The Serve application: `ModelReplica`s behind `ChestIngress`.

    Two model names are served by the same replicas: `model_name` answers with a trace,
    `model_name-instruct` without. Prompts and pixel limits are the checkpoint's own by default.
    """
    from ray import serve

    from chexone_ray.engine.engine import environment
    from chexone_ray.serving.ingress import ChestIngress
    from chexone_ray.serving.replica import ModelReplica

    trained = checkpoints.read_settings(config.model_uri)
    config = config.model_copy(
        update={
            "images": config.images or trained.images,
            "prompts": config.prompts or trained.prompts,
        }
    )
    engine = config.engine
    replicas = serve.deployment(
        ModelReplica,
        name="model",
        placement_group_bundles=bundles(engine),
        placement_group_strategy="STRICT_PACK",
        ray_actor_options={
            "num_cpus": engine.num_cpus,
            "runtime_env": {"env_vars": environment(engine, config.model_uri)},
        },
        max_ongoing_requests=2 * engine.max_num_seqs,
        autoscaling_config={
            "min_replicas": config.min_replicas,
            "max_replicas": config.max_replicas,
            "target_ongoing_requests": max(1, engine.max_num_seqs // 2),
        },
        graceful_shutdown_timeout_s=DRAIN_S,
        graceful_shutdown_wait_loop_s=1.0,
        health_check_timeout_s=30.0,
        max_constructor_retry_count=MAX_START_FAILURES,
    )
    ingress = serve.deployment(
        ChestIngress,
        name="ingress",
        ray_actor_options={"num_cpus": INGRESS_CPUS},
        max_ongoing_requests=INGRESS_REQUESTS,
        graceful_shutdown_timeout_s=DRAIN_S,
        graceful_shutdown_wait_loop_s=1.0,
    )
    settings = config.model_dump(mode="json")
    return ingress.bind(replicas.bind(settings), settings)


def start(
    config: ServeConfig, name: str = APPLICATION, cancelled: threading.Event | None = None
) -> str:
    """Deploy on the running Ray cluster, wait until it answers; returns the base URL.

    Port 0 takes a free one. Setting `cancelled` ends the wait with an InterruptedError.

    Raises:
        ChexoneError: the port is taken, or the model cannot be served; nothing stays then.
    """
    from ray import serve

    started = time.monotonic()
    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it reports every step it takes
    s3.prepare_environment()
    check(config)
    require(config)
    port = config.port or _free_port(config.host)
    serve.start(
        proxy_location="HeadOnly",
        http_options={
            "host": config.host,
            "port": port,
            "request_timeout_s": config.engine.request_timeout_s + DRAIN_S,
        },
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    try:
        serve.run_many(
            [serve.RunTarget(build(config), name=name, route_prefix="/")],
            wait_for_ingress_deployment_creation=False,
            wait_for_applications_running=False,
        )
        deadline = started + config.engine.start_timeout_s * MAX_START_FAILURES
        _wait_running(config, name, deadline, cancelled or threading.Event())
        url = f"http://{config.host}:{port}"
        if not config.ray.address.startswith("ray://"):
            _wait_healthy(url.replace("//0.0.0.0:", "//127.0.0.1:"))
    except BaseException:
        stop(name)
        raise
    logger.info(
        "serving %s as %r at %s/v1 after %.0f s. %s",
        config.model_uri,
        config.model_name,
        url,
        time.monotonic() - started,
        RESEARCH_USE_ONLY,
    )
    return url


def stop(name: str = APPLICATION) -> None:
    """Take the application down, and Serve itself where nothing else is served; no error twice."""
    import ray
    from ray import serve

    if not ray.is_initialized() or name not in (running := serve.status().applications):
        if ray.is_initialized() and not running:
            serve.shutdown()
        return
    if set(running) == {name}:
        serve.shutdown()
    else:
        serve.delete(name)


def serve(config: ServeConfig) -> None:
    """`chexone serve`: deploy and stay until SIGINT or SIGTERM, then take everything down.

    Raises ChexoneError when the model cannot be served or Ray ends by itself.
    """
    from chexone_ray import runtime

    runtime.join(config.ray)  # first: it takes SIGTERM for itself
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        start(config, cancelled=ended)
        while not ended.wait(WATCH_S):
            _require_there()
        logger.info("stopping")
        stop()
    except InterruptedError:
        logger.info("stopped before the model was up")
    finally:
        runtime.leave()


def _require_there() -> None:
    from ray import serve
    from ray.exceptions import RayError

    try:
        applications = serve.status().applications
    except (RayError, ConnectionError, TimeoutError) as error:
        raise ChexoneError(
            f"the Ray cluster does not answer any more ({type(error).__name__}): start it again"
        ) from error
    if APPLICATION not in applications:
        raise ChexoneError("the application was deleted by someone else: start it again")


def _wait_running(
    config: ServeConfig, name: str, deadline: float, cancelled: threading.Event
) -> None:
    """Until Serve calls the application running."""
    from ray import serve

    started = time.monotonic()
    waiting = Waiting(logger, "a model replica")
    while not cancelled.wait(POLL_S):
        application = serve.status().applications.get(name)
        state = application.status.value if application else "NOT_STARTED"
        now = time.monotonic()
        if application is not None and state == "RUNNING":
            return
        if application is not None and state in ("DEPLOY_FAILED", "UNHEALTHY"):
            messages = [d.message for d in application.deployments.values()]
            raise ChexoneError(
                f"{config.model_uri} cannot be served: {_reason([*messages, application.message])}"
            )
        if now > deadline:
            raise ChexoneError(
                f"{config.model_uri} was not up after {now - started:.0f} s: free CPUs or GPUs, "
                "see `serve status`, or raise engine.start_timeout_s"
            )
        waiting.remind()
    raise InterruptedError("the start was cancelled")


def _reason(messages: list[str]) -> str:
    """The line of Serve's messages, which are tracebacks, that says what is wrong."""
    lines = [line.strip() for text in messages for line in text.splitlines() if line.strip()]
    ours = [m[1] for line in lines if (m := re.match(r"chexone_ray\.errors\.\w+: (.+)", line))]
    errors = [m[0] for line in lines if (m := re.match(r"[\w.]*(?:Error|Exception)\b: .+", line))]
    return (ours or errors or lines or ["no reason given"])[-1][:500]


def _wait_healthy(url: str, timeout_s: float = 60.0) -> None:
    """Until /health says ok over HTTP: it was our proxy that took the port."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=15) as answer:
                answer.read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise ChexoneError(
                    f"{url} does not answer ({error}): is Serve already running on this cluster "
                    "with another port? `serve shutdown` ends it"
                ) from error
        time.sleep(POLL_S)


def _require_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                why = "is in use: stop what listens there or choose another with --port"
            else:
                why = f"cannot be used ({error.strerror}): check host and port"
            raise ChexoneError(f"port {port} of {host} {why}") from error


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
