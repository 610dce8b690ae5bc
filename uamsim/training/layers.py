"""How the layers of a mixture are run in training: precision, memory, compilation."""

import functools
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from uamsim.models.mot import MoTLayer
from uamsim.training.config import Precision, RuntimeConfig

_MAX_GRAPHS = 64
"""Of a layer. Which experts there are, which outputs are kept and what needs gradients make some
ten, and each is compiled again for sizes that change."""


def prepare_layers(model: nn.Module, precision: Precision, runtime: RuntimeConfig) -> None:
    """Sets a model up as ``runtime`` says, split among ranks or not."""
    for module in model.modules():
        if precision == "bfloat16" and isinstance(module, nn.RMSNorm):
            module.register_forward_pre_hook(_in_weight_dtype)
        if isinstance(module, MoTLayer):
            if runtime.compile:
                # FSDP's hooks stay outside. Without ``fullgraph`` a rank that met one graph too
                # many would go on uncompiled, take the backward pass in another order than the
                # other ranks, and wait for them for ever.
                torch._dynamo.config.recompile_limit = _MAX_GRAPHS
                module.forward = torch.compile(module.forward, fullgraph=True)
            if runtime.checkpoint_activations:
                # Nothing in a layer draws random numbers.
                module.forward = functools.partial(
                    checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False
                )


def _in_weight_dtype(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Autocast leaves RMSNorm alone, which has no fast kernel for mixed types."""
    x, *rest = args
    weight = module.weight
    return (x.to(weight.dtype) if weight is not None else x, *rest)
