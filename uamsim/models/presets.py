"""Sizes that have a name; nothing here imports torch."""

from uamsim.models.config import (
    BackboneConfig,
    ExpertConfig,
    VAEConfig,
    VisionConfig,
    VLAConfig,
    VLMConfig,
)
from uamsim.registry import Registry

FLUX = VAEConfig(
    image_size=(192, 256),
    kind="flux",
    widths=(128, 256, 512, 512),
    latent_channels=16,
    patch=2,
    bagel_tokens=True,
)
# Gemma 2B, and pi0's action expert of 300M beside it.
GEMMA = ExpertConfig(
    width=2048, ffn=16_384, qkv_bias=False, norm="rms_plus_one", activation="gelu_tanh"
)
GEMMA_ACTION = ExpertConfig(
    width=1024, ffn=4096, qkv_bias=False, norm="rms_plus_one", activation="gelu_tanh"
)
# The vision tower of Qwen2.5-VL, of one size for 3B and 7B; pictures of 192 by 256 fit it so.
QWEN_VISION = VisionConfig(
    image_size=(196, 252),
    patch=14,
    stem="linear",
    stem_bias=False,
    width=1280,
    depth=32,
    heads=16,
    ffn=3420,
    merge=2,
    connector="merger",
    connector_norm=False,
    norm="rms",
    norm_eps=1e-6,
    mlp="swiglu",
    positions="rotary",
    window=112,
    full_layers=(7, 15, 23, 31),
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    resize="bicubic",
)

PRESETS: Registry[VLAConfig] = Registry("model preset")
# Hardly any time near the data is drawn, so steps there would only add jitter: two suffice.
# Goals, too, are learnt near the noise, the only time at which actions read them.
PRESETS.add("tiny", VLAConfig(action_time_alpha=5.0, num_euler_steps=2, image_time_shift=4.0))
PRESETS.add(
    "small",
    VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(depth=12, heads=8, kv_heads=4, head_dim=64),
            expert=ExpertConfig(width=512, ffn=1536, qk_norm=True),
            vision=VisionConfig(
                image_size=(128, 192), width=512, depth=4, heads=8, ffn=2048, merge=2
            ),
            vocab_size=2048,
        ),
        vae=VAEConfig(image_size=(128, 192), widths=(64, 128, 256, 256), latent_channels=32),
        dorsal=ExpertConfig(width=512, ffn=1536, qk_norm=True),
        action=ExpertConfig(width=256, ffn=768, qk_norm=True),
        num_queries=64,
    ),
)
PRESETS.add(
    "bagel-7b",
    VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(
                depth=28, heads=28, kv_heads=4, head_dim=128, rope_theta=1_000_000.0
            ),
            expert=ExpertConfig(width=3584, ffn=18944, qk_norm=True),
            vision=VisionConfig(
                image_size=(196, 252),
                patch=14,
                stem="linear",
                width=1152,
                depth=26,
                heads=16,
                ffn=4304,
                merge=1,
                connector_norm=False,
                resize="bicubic",
                columns_first=True,
                norm_eps=1e-6,
            ),
            vocab_size=152_064,
            tie_embeddings=False,
        ),
        vae=FLUX,
        dorsal=ExpertConfig(width=3584, ffn=18944, qk_norm=True),
        action=ExpertConfig(width=2048, ffn=8192, qk_norm=True),
        chunk=24,
        num_views=3,
        num_queries=64,
    ),
)
PRESETS.add(
    "paligemma-3b",
    VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(depth=18, heads=8, kv_heads=1, head_dim=256),
            expert=GEMMA,
            vision=VisionConfig(
                image_size=(224, 224),
                patch=14,
                stem="linear",
                width=1152,
                depth=27,
                heads=16,
                ffn=4304,
                merge=1,
                connector="linear",
                connector_norm=False,
                norm_eps=1e-6,
                resize="bicubic",
            ),
            vocab_size=257_216,
            attention="prefix",
            image_rope="each",
            scale_embeddings=True,
        ),
        vae=FLUX,
        dorsal=GEMMA,
        action=GEMMA_ACTION,
        chunk=24,
        num_views=3,
        num_queries=64,
    ),
)
PRESETS.add(
    "qwen2.5-vl-3b",
    VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(
                depth=36,
                heads=16,
                kv_heads=2,
                head_dim=128,
                rope_theta=1_000_000.0,
                mrope_sections=(16, 24, 24),
            ),
            expert=ExpertConfig(width=2048, ffn=11_008),
            vision=QWEN_VISION,
            vocab_size=151_936,
            attention="causal",
            image_rope="grid",
        ),
        vae=FLUX,
        dorsal=ExpertConfig(width=2048, ffn=11_008),
        # 0.9B, near the 1B of the paper's Table 3.
        action=ExpertConfig(width=1536, ffn=4096),
        chunk=24,
        num_views=3,
        num_queries=64,
    ),
)
PRESETS.add(
    "qwen2.5-vl-7b",
    VLAConfig(
        vlm=VLMConfig(
            backbone=BackboneConfig(
                depth=28,
                heads=28,
                kv_heads=4,
                head_dim=128,
                rope_theta=1_000_000.0,
                mrope_sections=(16, 24, 24),
            ),
            expert=ExpertConfig(width=3584, ffn=18_944),
            vision=QWEN_VISION,
            vocab_size=152_064,
            tie_embeddings=False,
            attention="causal",
            image_rope="grid",
        ),
        vae=FLUX,
        dorsal=ExpertConfig(width=3584, ffn=18_944),
        # 1.9B, near the 2B of the paper's Table 4.
        action=ExpertConfig(width=2048, ffn=8192),
        chunk=24,
        num_views=3,
        num_queries=64,
    ),
)
