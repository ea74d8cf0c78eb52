"""GRPO per-token loss on packed rows: pure functions of (1, T) tensors.

Every track has one number a token of the pack and is aligned with the token that it scores (not
with the one that predicts it). The caller sums the per-token loss over the trained tokens and
divides by their number over all packs and ranks, which is the token normaliser of DAPO
(arXiv 2503.14476).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def behaviour_weight(proximal: Tensor, behaviour: Tensor, cap: float) -> Tensor:
    """min(pi / mu, cap) per token, without gradient.

    `proximal` are the trainer's log-probs before the first update on the batch, `behaviour` the
    engine's of the same tokens. The weight
    turns an expectation over what the engine sampled (older weights, a repetition penalty, another
    kernel) into one over the trainer's policy; the cap bounds its variance (truncated importance
    sampling).
    """
    return (proximal.detach() - behaviour).exp().clamp(max=cap)


def importance_ratio(log_probs: Tensor, proximal: Tensor | None = None) -> Tensor:
    """pi / pi_proximal per token, with gradient.

    `proximal` holds the log-probs stored before the first update of the batch. None is the form for
    one update a batch: the ratio is 1 in value, its gradient is that of `log_probs`.
    """
    return (log_probs - (log_probs.detach() if proximal is None else proximal)).exp()


def clipped_objective(ratio: Tensor, advantages: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """PPO's clipped surrogate per token and the mask of tokens on which the clip acts."""
    free, clipped = ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages
    return free.minimum(clipped), (clipped < free).detach()


def kl_k3(log_probs: Tensor, reference: Tensor) -> Tensor:
    """Schulman's k3 estimator of KL(policy || reference) per token: exp(d) - d - 1, never below 0,
    with d = reference - log_probs."""
    difference = reference - log_probs
    return difference.exp() - difference - 1


def grpo_loss(
    log_probs: Tensor,
    advantages: Tensor,
    behaviour: Tensor,
    *,
    behaviour_cap: float,
    beta: float = 0.0,
    reference: Tensor | None = None,
    proximal: Tensor | None = None,
    clip_epsilon: float | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of every token, and per-token quantities for the metrics. All tensors are (1, T).

    Value: -(surrogate) * behaviour weight + beta * ratio * k3 to `reference`. The ratio in
    the KL term makes its gradient that of the reverse KL, even where the ratio is 1 (DeepSeek-V3.2,
    arXiv 2512.02556; TRL's default). `beta` > 0 needs `reference`; `beta` = 0 leaves the term out.
    `clip_epsilon` is for batches used more than once, whose log-probs before the first update are
    `proximal`: with one update a batch the ratio is 1 and no clip can act.
    Nothing is masked here: entries of tokens that are not trained are meaningless but finite as
    long as the inputs are.
    """
    # The clipped ratio leads from the proximal policy to the current one, the weight from the
    # engine's to the proximal one; their product is the whole importance ratio.
    before = (log_probs if proximal is None else proximal).detach()
    weight = behaviour_weight(before, behaviour, behaviour_cap)
    ratio = importance_ratio(log_probs, proximal)
    objective, clipped = ratio * advantages, None
    if clip_epsilon is not None:
        objective, clipped = clipped_objective(ratio, advantages, clip_epsilon)
    loss = -objective * weight
    gap = before - behaviour
    metrics = {
        "behaviour_weight": weight,
        "behaviour_capped": (gap.exp() > behaviour_cap).to(loss.dtype),
        "behaviour_gap": gap.abs(),
    }
    if clipped is not None:
        metrics["clip_fraction"] = clipped.to(loss.dtype)
    if beta > 0:
        if reference is None:
            raise ValueError(f"beta={beta} needs the reference log-probs")
        divergence = kl_k3(log_probs, reference)
        loss = loss + beta * ratio * divergence
        metrics["kl"] = divergence.detach()
    return loss, metrics
