"""Rows of Table 1 of the UAM paper, the MLP head of its Table 3, controls, and policies of others.

| E_dor starts from | VAE tokens | ViT tokens | queries |
|---|---|---|---|
| random weights | **random_init** | random_init_vit | random_init_query |
| E_sem | vlm_init_vae | **vlm_init_vision** | **vlm_init_query** |
| the generator | **gen_init**, **uam** | gen_init_vit | gen_init_query |

Rows of the paper are bold; the others are controls, so that a start is compared at equal input and
an input at equal start. In a column the weights alone differ (appendix C.2). Then come policies
of others: E_sem alone, which says actions as tokens.
"""

import dataclasses
from dataclasses import dataclass

from uamsim import plugins
from uamsim.models.config import DorsalInit, VLAConfig
from uamsim.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row: how the dorsal expert is fed, initialised and supervised, and what acts.

    Attributes:
        dorsal_sees_text: False where the dorsal expert reads pictures alone, whatever the model's
            own setting is.
    """

    title: str
    summary: str
    dorsal_input: str = "none"
    dorsal_init: DorsalInit = "none"
    dorsal_sees_text: bool = True
    dynamics: bool = False
    action_head: str = "flow"
    predicts: str = "latents"
    taught: str = ""

    def apply(self, config: VLAConfig) -> VLAConfig:
        """``config`` turned into this variant, all sizes kept."""
        return dataclasses.replace(
            config,
            dorsal_input=self.dorsal_input,
            dorsal_init=self.dorsal_init,
            dorsal_sees_text=config.dorsal_sees_text and self.dorsal_sees_text,
            dynamics=self.dynamics,
            action_head=self.action_head,
            predicts=self.predicts,
            taught=self.taught,
        )


VARIANTS: Registry[Variant] = Registry("variant", plugins.VARIANTS)
VARIANTS.add("no_dorsal", Variant(title="No dorsal expert", summary="2 experts, as pi0"))
VARIANTS.add(
    "random_init",
    Variant(
        title="Random init",
        summary="E_dor from random weights, VAE tokens: no visual prior",
        dorsal_input="vae",
        dorsal_init="random",
    ),
)
VARIANTS.add(
    "vlm_init_vision",
    Variant(
        title="VLM init, vision (2a)",
        summary="E_dor a copy of E_sem, ViT tokens",
        dorsal_input="vit",
        dorsal_init="vlm",
    ),
)
VARIANTS.add(
    "vlm_init_query",
    Variant(
        title="VLM init, query (2b)",
        summary="E_dor a copy of E_sem, learnable queries",
        dorsal_input="query",
        dorsal_init="vlm",
    ),
)
VARIANTS.add(
    "gen_init",
    Variant(
        title="Gen init (3a)",
        summary="E_dor from the generator, VAE tokens",
        dorsal_input="vae",
        dorsal_init="generator",
    ),
)
VARIANTS.add(
    "uam",
    Variant(
        title="UAM (3b)",
        summary="E_dor from the generator, with dynamics",
        dorsal_input="vae",
        dorsal_init="generator",
        dynamics=True,
    ),
)
TABLE_1: tuple[str, ...] = tuple(VARIANTS)
VARIANTS.add(
    "mlp_head",
    Variant(
        title="MLP head",
        summary="E_sem alone, an MLP on one action token, as VLM4VLA",
        action_head="mlp",
    ),
)
VARIANTS.add(
    "random_init_vit",
    Variant(
        title="Random init, ViT",
        summary="E_dor from random weights, ViT tokens",
        dorsal_input="vit",
        dorsal_init="random",
    ),
)
VARIANTS.add(
    "random_init_query",
    Variant(
        title="Random init, query",
        summary="E_dor from random weights, learnable queries",
        dorsal_input="query",
        dorsal_init="random",
    ),
)
VARIANTS.add(
    "vlm_init_vae",
    Variant(
        title="VLM init, VAE",
        summary="E_dor a copy of E_sem, VAE tokens",
        dorsal_input="vae",
        dorsal_init="vlm",
    ),
)
VARIANTS.add(
    "gen_init_vit",
    Variant(
        title="Gen init, ViT",
        summary="E_dor from the generator, ViT tokens",
        dorsal_input="vit",
        dorsal_init="generator",
    ),
)
VARIANTS.add(
    "gen_init_query",
    Variant(
        title="Gen init, query",
        summary="E_dor from the generator, learnable queries",
        dorsal_input="query",
        dorsal_init="generator",
    ),
)
VARIANTS.add(
    "vlm_init_no_text",
    Variant(
        title="VLM init, vision, no text",
        summary="2a whose E_dor does not read the instruction",
        dorsal_input="vit",
        dorsal_init="vlm",
        dorsal_sees_text=False,
    ),
)
GRID: tuple[str, ...] = tuple(
    name for name, variant in VARIANTS.items() if variant.dorsal_input != "none"
)
"""Every start with every input, ``uam`` and what tells text from pictures in 2a."""
VARIANTS.add(
    "openvla",
    Variant(
        title="Action bins",
        summary="E_sem alone, each number one of 256 tokens, as OpenVLA and RT-2",
        action_head="bins",
    ),
)
VARIANTS.add(
    "pi0_fast",
    Variant(
        title="FAST tokens",
        summary="E_sem alone, state and actions as tokens, as pi0-FAST",
        action_head="fast",
    ),
)
VARIANTS.add(
    "pi05",
    Variant(
        title="FAST and flow",
        summary="E_sem learns FAST tokens, the flow expert from a stop-gradient, as pi0.5",
        taught="fast",
    ),
)
VARIANTS.add(
    "map_head",
    Variant(
        title="MAP head",
        summary="E_sem alone, placeholders pooled, as UP-VLA without prediction",
        action_head="map",
    ),
)
