"""Sizes and wiring of every model as frozen JSON values; nothing here imports torch.

The defaults are the tiny world's; ``PRESETS`` also holds `small` (one GPU) and `paper` (the
sizes of BAGEL-7B-MoT).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from uamsim.contract import ACTION_DIM, ADDED
from uamsim.errors import ConfigError
from uamsim.registry import Registry

DorsalInput = Literal["none", "vae", "vit", "query"]
DorsalInit = Literal["none", "random", "vlm", "generator"]
GoalStart = Literal["residual", "noise"]
ActionHead = Literal["flow", "mlp"]
ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """What all experts must share, so that one attention can run over their tokens."""

    depth: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 24
    rope_theta: float = 10_000.0
    rms_eps: float = 1e-6

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise ConfigError(
                f"heads must be a multiple of kv_heads; got {self.heads} and {self.kv_heads}."
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim must be even for rotary positions; got {self.head_dim}.")


@dataclass(frozen=True, kw_only=True)
class ExpertConfig:
    """What is one expert's own."""

    width: int = 96
    ffn: int = 256
    qk_norm: bool = False
    qkv_bias: bool = True


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """The vision transformer and the 2-layer connector after it.

    Attributes:
        image_size: (H, W) in pixels, multiples of ``patch * merge``.
        stem: "conv" halves the picture log2(patch) times; "linear" embeds whole patches.
        merge: side of the square of patches that becomes one token.
        connector_norm: whether the connector's output is normalised before positions are added.
            Without it (BAGEL) the content of narrow tokens grows in training until positions
            are a few per cent of it, and "where" is not learned.
    """

    image_size: tuple[int, int] = (64, 96)
    patch: int = 8
    stem: Literal["conv", "linear"] = "conv"
    width: int = 96
    depth: int = 1
    heads: int = 4
    ffn: int = 256
    merge: int = 2
    connector_norm: bool = True

    def __post_init__(self) -> None:
        side = self.patch * self.merge
        if any(pixels % side for pixels in self.image_size):
            raise ConfigError(
                f"image_size must be multiples of patch * merge = {side}; got {self.image_size}."
            )
        if self.stem == "conv" and self.patch & (self.patch - 1):
            raise ConfigError(f"a conv stem needs a power of two as patch; got {self.patch}.")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} must be a multiple of heads {self.heads}.")

    @property
    def patch_grid(self) -> tuple[int, int]:
        """(h, w) patches before merging."""
        return self.image_size[0] // self.patch, self.image_size[1] // self.patch

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) image tokens that the language model sees."""
        return self.patch_grid[0] // self.merge, self.patch_grid[1] // self.merge

    @property
    def num_tokens(self) -> int:
        """Image tokens a view."""
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True, kw_only=True)
class VLMConfig:
    """E_sem: vision, text embedding and the semantic expert."""

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    expert: ExpertConfig = field(default_factory=ExpertConfig)
    vision: VisionConfig = field(default_factory=VisionConfig)
    vocab_size: int = 512
    tie_embeddings: bool = True
    max_answer_tokens: int = 12


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """The picture autoencoder behind dorsal tokens.

    Attributes:
        widths: channels after each halving of the encoder; the decoder mirrors them.
        patch: latent pixels a side that make one token (BAGEL: 2).
        latent_channels: channels of a latent pixel.
        foreground_weight: weight of a pixel that differs from its picture's median colour against
            one that does not. Nine tenths of a picture are bare table; at 1 a small autoencoder
            learns the table and leaves the things out.
    """

    image_size: tuple[int, int] = (64, 96)
    widths: tuple[int, ...] = (16, 32, 64, 96)
    latent_channels: int = 24
    patch: int = 1
    kl_weight: float = 1e-6
    foreground_weight: float = 9.0

    def __post_init__(self) -> None:
        if any(pixels % self.stride for pixels in self.image_size):
            raise ConfigError(
                f"image_size must be multiples of the stride {self.stride}; got {self.image_size}."
            )

    @property
    def stride(self) -> int:
        """Pixels a side that make one token."""
        return 2 ** len(self.widths) * self.patch

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) tokens."""
        return self.image_size[0] // self.stride, self.image_size[1] // self.stride

    @property
    def num_tokens(self) -> int:
        """Tokens a picture."""
        return self.grid[0] * self.grid[1]

    @property
    def token_dim(self) -> int:
        """Numbers a token."""
        return self.latent_channels * self.patch**2


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """E_gen: a frozen E_sem with a generation expert, pretrained on scene changes."""

    vlm: VLMConfig = field(default_factory=VLMConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    dorsal: ExpertConfig = field(default_factory=ExpertConfig)
    goal_start: GoalStart = "residual"
    dorsal_sees_text: bool = True
    num_goal_steps: int = 20


@dataclass(frozen=True, kw_only=True)
class VLAConfig:
    """Any row of Tables 1 and 3. Build one with ``VARIANTS[name].apply(PRESETS[scale])``.

    Attributes:
        action_head: "flow" is an action expert of its own that removes noise (pi0); "mlp" one more
            token of E_sem whose last state an MLP turns into the chunk (VLM4VLA).
        mlp_width: of the MLP head's first layer after E_sem; VLM4VLA has 1024.
        gripper_dims: of the action, which an MLP head predicts as open or closed.
        insulated: knowledge insulation: what the other experts read of E_sem (an MLP head: the
            whole of E_sem) passes no gradient back, so no action or dynamics loss changes E_sem.
        dorsal_input: tokens of the dorsal expert: clean VAE latents of the primary view, the
            shared ViT's tokens through a connector of their own, or learnable queries.
        dorsal_init: what its weights start from.
        dynamics: whether it also predicts the goal frame (UAM).
        wm_weight: lambda of ``L = L_act + lambda * L_wm``.
        goal_start: the goal block's start: N(z_current, I) ("residual", BagelVLA's residual
            flow guidance) or N(0, I).
        dorsal_sees_text: False for purely visual dorsal tokens.
        chunk: K predicted actions.
        action_time_alpha: action times are Beta(alpha, 1), 1 being noise. pi0 has 1.5; at lower
            times the noised chunk itself shows where it goes, and nothing has to be looked up.
    """

    vlm: VLMConfig = field(default_factory=VLMConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    dorsal: ExpertConfig = field(default_factory=ExpertConfig)
    action: ExpertConfig = field(default_factory=lambda: ExpertConfig(width=64, ffn=192))
    action_dim: int = ACTION_DIM
    proprio_dim: int = ACTION_DIM
    chunk: int = 12
    action_time_alpha: float = 1.5
    num_views: int = 1
    dorsal_input: DorsalInput = "vae"
    dorsal_init: DorsalInit = "generator"
    dynamics: bool = True
    wm_weight: float = 1.0
    goal_start: GoalStart = "residual"
    dorsal_sees_text: bool = True
    num_queries: int = 24
    num_euler_steps: int = 10
    num_goal_steps: int = 20
    action_head: ActionHead = field(default="flow", metadata=ADDED)
    mlp_width: int = field(default=1024, metadata=ADDED)
    gripper_dims: tuple[int, ...] = field(default=(6, 13), metadata=ADDED)
    insulated: bool = field(default=False, metadata=ADDED)

    def __post_init__(self) -> None:
        if self.action_head == "mlp":
            self._check_mlp()
        if self.dynamics and self.dorsal_input != "vae":
            raise ConfigError(
                f"dynamics needs dorsal_input 'vae' to predict latents; got {self.dorsal_input!r}."
            )
        if (self.dorsal_input == "none") != (self.dorsal_init == "none"):
            raise ConfigError(
                "dorsal_input and dorsal_init are 'none' together or not at all; got "
                f"{self.dorsal_input!r} and {self.dorsal_init!r}."
            )
        if self.dorsal_init == "generator" and self.dorsal_input != "vae":
            raise ConfigError(
                f"a generator's expert reads VAE tokens; got dorsal_input {self.dorsal_input!r}."
            )
        if self.dorsal_init == "vlm" and self.dorsal != self.vlm.expert:
            raise ConfigError(
                f"E_dor can copy E_sem only at its sizes {self.vlm.expert}; got {self.dorsal}."
            )

    def _check_mlp(self) -> None:
        if self.dorsal_input != "none":
            raise ConfigError(
                "an MLP head reads E_sem alone, so it needs dorsal_input 'none'; got "
                f"{self.dorsal_input!r}."
            )
        dims = set(self.gripper_dims)
        if not dims or len(dims) < len(self.gripper_dims) or not dims < set(range(self.action_dim)):
            raise ConfigError(
                f"gripper_dims must name some of the action's {self.action_dim} dimensions, each "
                f"once; got {self.gripper_dims}."
            )

    @property
    def has_dorsal(self) -> bool:
        """Whether there is a third expert."""
        return self.dorsal_input != "none"

    @property
    def num_dorsal_tokens(self) -> int:
        """Clean dorsal tokens (D or C); goal blocks not counted."""
        return {
            "none": 0,
            "vae": self.vae.num_tokens,
            "vit": self.vlm.vision.num_tokens,
            "query": self.num_queries,
        }[self.dorsal_input]

    @property
    def generator(self) -> GeneratorConfig:
        """The generator whose weights fit this model's E_dor."""
        return GeneratorConfig(
            vlm=self.vlm,
            vae=self.vae,
            dorsal=self.dorsal,
            goal_start=self.goal_start,
            dorsal_sees_text=self.dorsal_sees_text,
            num_goal_steps=self.num_goal_steps,
        )


ModelConfig = VLMConfig | VAEConfig | GeneratorConfig | VLAConfig


PRESETS: Registry[VLAConfig] = Registry("model preset")
# Hardly any time near the data is drawn, so steps there would only add jitter: two suffice.
PRESETS.add("tiny", VLAConfig(action_time_alpha=5.0, num_euler_steps=2))
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
    "paper",
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
            ),
            vocab_size=152_064,
            tie_embeddings=False,
        ),
        vae=VAEConfig(image_size=(192, 256), widths=(128, 256, 512), latent_channels=16, patch=2),
        dorsal=ExpertConfig(width=3584, ffn=18944, qk_norm=True),
        action=ExpertConfig(width=2048, ffn=8192, qk_norm=True),
        chunk=24,
        num_views=3,
        num_queries=64,
    ),
)


def config_to_json(config: Any) -> dict[str, Any]:
    """A config as nested JSON values; ``config_from_json`` reads it back."""
    return dataclasses.asdict(config)


def config_from_json(cls: type[ConfigT], value: Mapping[str, Any]) -> ConfigT:
    """Inverse of ``config_to_json``.

    Raises:
        ConfigError: a key that ``cls`` does not have.
    """
    hints = get_type_hints(cls)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ConfigError(
            f"{cls.__name__} has no field {', '.join(unknown)}; known: {', '.join(hints)}."
        )
    return cls(**{name: _from_json(hints[name], item) for name, item in value.items()})


def _from_json(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return config_from_json(hint, value)
    if get_origin(hint) is tuple:
        return tuple(_from_json(get_args(hint)[0], item) for item in value)
    return value
