"""The GRPO loss worked out by hand on small tracks; the comparison with TRL is test_matches_trl."""

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from chexone_ray.grpo.losses import (  # noqa: E402  (after the check that torch is there)
    behaviour_weight,
    clipped_objective,
    grpo_loss,
    importance_ratio,
    kl_k3,
)


def row(*values: float) -> Any:
    return torch.tensor([values], dtype=torch.float64)


def test_behaviour_weight_is_the_capped_ratio_without_gradient() -> None:
    log_probs = row(math.log(0.5), math.log(0.2), math.log(0.9)).requires_grad_()
    weight = behaviour_weight(log_probs, row(math.log(0.5), math.log(0.4), math.log(0.1)), 2.0)
    assert torch.allclose(weight, row(1.0, 0.5, 2.0))
    assert not weight.requires_grad


def test_one_step_form_has_value_a_and_the_policy_gradient() -> None:
    log_probs = row(-1.0, -2.0).requires_grad_()
    objective, clipped = clipped_objective(importance_ratio(log_probs), row(0.5, -0.25), 0.2)
    assert torch.equal(objective, row(0.5, -0.25))
    assert not clipped.any()
    objective.sum().backward()
    assert torch.equal(log_probs.grad, row(0.5, -0.25))


def test_clip_acts_only_where_it_lowers_the_objective() -> None:
    # ratios 1.5 and 0.5, each with a positive and a negative advantage
    log_probs = row(*(math.log(v) for v in (1.5, 1.5, 0.5, 0.5))).requires_grad_()
    ratio = importance_ratio(log_probs, row(0, 0, 0, 0))
    objective, clipped = clipped_objective(ratio, row(1, -1, 1, -1), 0.2)
    assert torch.allclose(objective, row(1.2, -1.5, 0.5, -0.8))
    assert clipped.tolist() == [[True, False, False, True]]
    objective.sum().backward()
    assert torch.allclose(log_probs.grad, row(0.0, -1.5, 0.5, 0.0))


def test_k3_is_zero_at_equality_and_positive_elsewhere() -> None:
    # d = log 2: 2 - log 2 - 1; d = -log 2: 0.5 + log 2 - 1
    value = kl_k3(row(-1.0, -1.0, -1.0), row(-1.0, -1.0 + math.log(2), -1.0 - math.log(2)))
    assert torch.allclose(value, row(0.0, 1 - math.log(2), math.log(2) - 0.5))


def test_whole_loss_by_hand() -> None:
    log_probs = row(math.log(0.5), math.log(0.25)).requires_grad_()
    loss, metrics = grpo_loss(
        log_probs,
        row(2.0, -1.0),
        row(math.log(0.25), math.log(0.5)),
        clip_epsilon=0.2,
        behaviour_cap=1.5,
        beta=0.1,
        reference=row(math.log(0.5), math.log(0.5)),
    )
    # token 0: -2 * min(2, 1.5) + 0.1 * 0; token 1: +1 * 0.5 + 0.1 * (2 - log 2 - 1)
    assert torch.allclose(loss, row(-3.0, 0.5 + 0.1 * (1 - math.log(2))))
    assert metrics["behaviour_capped"].tolist() == [[1.0, 0.0]]
    assert torch.allclose(metrics["kl"], row(0.0, 1 - math.log(2)))
    assert torch.allclose(metrics["behaviour_gap"], row(math.log(2), math.log(2)))
    assert not any(value.requires_grad for value in metrics.values())
    loss.sum().backward()
    # d (ratio * k3) / d log p = k3 + 1 - exp(reference - log p) = -log 2 for token 1
    assert torch.allclose(log_probs.grad, row(-3.0, 0.5 - 0.1 * math.log(2)))


def test_beta_without_reference_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="needs the reference"):
        grpo_loss(row(0), row(0), row(0), clip_epsilon=0.2, behaviour_cap=2.0, beta=0.1)


def test_a_reused_batch_weighs_by_the_proximal_policy() -> None:
    # pi 0.6, proximal 0.5, engine 0.4: clipped ratio 1.2 -> 1.1, weight 0.5 / 0.4
    loss, metrics = grpo_loss(
        row(math.log(0.6)),
        row(1.0),
        row(math.log(0.4)),
        clip_epsilon=0.1,
        behaviour_cap=2.0,
        proximal=row(math.log(0.5)),
    )
    assert torch.allclose(loss, row(-1.1 * 1.25))
    assert metrics["clip_fraction"].tolist() == [[1.0]]
