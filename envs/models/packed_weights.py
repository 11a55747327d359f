"""Linear layers with weights in the order in which a processor multiplies, for the length of a large batch.

PyTorch's own call arranges the weights again at each product; oneDNN, which it brings, takes them arranged. That costs
a copy of the weights and the time to make it, so that a batch has to be worth it. As the copy goes with the batch, it
is never behind weights that a learner changes.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.models.kv_cache import ROUNDING
from lse_gym.envs.models.ragged import free_bytes

with needs("hf", "A model of Hugging Face"):
    import torch
    from torch import Tensor
    from torch.nn.functional import linear

WORTH_TOKENS = 1024  # to arrange the weights takes as long as to read some 150 tokens, and saves a sixth
LEAST_BYTES = 2**26  # of the weights; smaller ones lie in a processor's cache in any order, and nothing is gained
ROOM = 0.25  # share of the free memory that the copy may take


@contextmanager
def packed(model: Any, tokens: int) -> Generator[None]:
    """In this block the linear layers of a model on a CPU multiply packed weights, where so many tokens are worth it.

    Args:
        model: a module. Nothing about it changes on other devices, with other numbers than float32, in a PyTorch
            without oneDNN, or where the weights are small or a copy takes more than a quarter of the free memory.
        tokens: that the block reads.
    """
    layers = _layers(model) if tokens >= WORTH_TOKENS else []
    size = sum(layer.weight.nbytes for layer in layers)
    try:
        if LEAST_BYTES <= size <= ROOM * free_bytes(torch.device("cpu")) and _works(layers[0]):
            for layer in layers:
                layer.forward = partial(_multiply, _packed(layer), layer.bias)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _layers(model: Any) -> list[Any]:
    """The linear layers in float32 on a CPU that nothing else has taken the place of."""
    linears = (one for one in model.modules() if type(one) is torch.nn.Linear and "forward" not in vars(one))
    return [one for one in linears if one.weight.device.type == "cpu" and one.weight.dtype == torch.float32]


def _packed(layer: Any) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), None)


def _multiply(weight: Tensor, bias: Tensor | None, numbers: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(numbers, weight, bias, "none", [], "")


@torch.inference_mode()
def _works(layer: Any) -> bool:
    """Whether the operators, which PyTorch keeps for its compiler, are there and do what the layer does."""
    numbers = torch.linspace(-1, 1, layer.in_features)[None]
    try:
        mine = _multiply(_packed(layer), layer.bias, numbers)
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    truth = linear(numbers, layer.weight, layer.bias)
    return mine.shape == truth.shape and bool((mine - truth).abs().max() <= ROUNDING * truth.abs().max())
