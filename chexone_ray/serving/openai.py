"""A checkpoint as an OpenAI-compatible endpoint on Ray Serve.

`build` is the application builder of `serve run` and serve/serve_config.yaml; `start` and `serve`
run the same application from Python and from the command line.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chexone_ray import checkpoints, s3
from chexone_ray.config import ImageConfig, ServeConfig
from chexone_ray.log import RESEARCH_USE_ONLY
from chexone_ray.serving.chat import INSTRUCT_SUFFIX

if TYPE_CHECKING:
    from ray.serve import Application
    from ray.serve.llm import LLMConfig

logger = logging.getLogger(__name__)


def build(config: ServeConfig) -> Application:
    """The Serve application: replicas of Ray Serve LLM behind `ChestIngress`.

    Two model names are served by the same replicas: `model_name` answers with a trace,
    `model_name-instruct` without.
    """
    from ray import serve
    from ray.llm._internal.serve.core.configs.openai_api_models import to_model_metadata
    from ray.serve.llm import build_llm_deployment
    from ray.serve.llm.ingress import make_fastapi_ingress

    from chexone_ray.serving.ingress import ChestIngress
    from chexone_ray.serving.server import ChestServer

    trained = checkpoints.read_settings(config.model_uri)
    config = config.model_copy(
        update={
            "images": config.images or trained.images,
            "prompts": config.prompts or trained.prompts,
        }
    )
    llm = _llm_config(config)
    model = build_llm_deployment(
        llm, deployment_cls=ChestServer, bind_kwargs={"model_uri": config.model_uri}
    )
    names = (config.model_name, config.model_name + INSTRUCT_SUFFIX)
    ingress = make_fastapi_ingress(ChestIngress, endpoint_map=_routes())
    return serve.deployment(ingress, **ChestIngress.get_deployment_options([llm])).bind(
        llm_deployments=dict.fromkeys(names, model),
        model_cards={name: to_model_metadata(name, llm) for name in names},
        config=config.model_dump(),
        model_digest=checkpoints.model_digest(config.model_uri),
    )


def _routes() -> dict[str, Callable[[Any], Callable[..., Any]]]:
    """Only what a chat client needs, and a health route."""
    return {
        "models": lambda app: app.get("/v1/models"),
        "model_data": lambda app: app.get("/v1/models/{model:path}"),
        "chat": lambda app: app.post("/v1/chat/completions"),
        "health": lambda app: app.get("/health"),
    }


def _llm_config(config: ServeConfig) -> LLMConfig:
    from ray.serve.llm import LLMConfig

    from chexone_ray.engine.engine import engine_arguments, environment

    engine = config.engine
    arguments = engine_arguments(engine, config.images or ImageConfig(), config.model_uri)
    for name in ("model", "distributed_executor_backend", "weight_transfer_config"):
        del arguments[name]
    bundle = {"GPU": engine.num_gpus} if engine.num_gpus else {"CPU": engine.num_cpus}
    return LLMConfig(
        model_loading_config={"model_id": config.model_name, "model_source": config.model_uri},
        engine_kwargs=arguments,
        accelerator_type=None,
        placement_group_config={"bundles": [bundle] * engine.tensor_parallel},
        runtime_env={"env_vars": environment(engine, config.model_uri)},
        deployment_config={
            "autoscaling_config": {
                "min_replicas": config.min_replicas,
                "max_replicas": config.max_replicas,
            }
        },
        log_engine_metrics=False,
    )


def start(config: ServeConfig, name: str = "chexone") -> str:
    """Deploy on the running Ray cluster, wait until it is healthy; returns the base URL."""
    from ray import serve

    s3.prepare_environment()
    serve.start(http_options={"host": config.host, "port": config.port})
    serve.run(build(config), name=name, route_prefix="/")
    url = f"http://{config.host}:{config.port}"
    logger.info(
        "serving %s as %r at %s/v1. %s", config.model_uri, config.model_name, url, RESEARCH_USE_ONLY
    )
    return url


def stop() -> None:
    """Take the application and the HTTP proxy down."""
    from ray import serve

    serve.shutdown()


def serve(config: ServeConfig) -> None:
    """`chexone serve`: deploy and stay until SIGINT or SIGTERM, then take everything down."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    start(config)
    ended.wait()
    stop()
