"""Sizes and wiring of every model as frozen JSON values; nothing here imports torch.

The defaults are the tiny world's; ``presets.PRESETS`` names other sizes.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, get_args

from uamsim.bounds import Amount, Count, Depth, Pixels, Share, Size, Within, check_bounds
from uamsim.contract import ACTION_DIM, ADDED
from uamsim.errors import ConfigError, UnknownNameError
from uamsim.jsonable import from_json
from uamsim.models.wiring import ACT, FEEDS, HEADS, PREDICTIONS, Feed, Head, Part, Prediction

DorsalInit = Literal["none", "random", "vlm", "generator"]
GoalStart = Literal["residual", "noise"]
ConfigT = TypeVar("ConfigT")
_Mean = Annotated[float, Within(-1e3, 1e3)]
_Spread = Annotated[float, Within(1e-6, 1e3)]
_Shape = Annotated[float, Within(1e-3, 1e3)]
"""Of a distribution of times."""


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """What all experts must share, so that one attention can run over their tokens.

    Attributes:
        mrope_sections: pairs of head dimensions that each of a token's three rotary ids (time,
            row, column) turns, in rotation (Qwen2.5-VL); empty where a token has one id.
    """

    depth: Depth = 4
    heads: Depth = 4
    kv_heads: Depth = 2
    head_dim: Size = 24
    rope_theta: Annotated[float, Within(1.0, 1e12)] = 10_000.0
    rms_eps: Share = 1e-6
    mrope_sections: tuple[Size, ...] = field(default=(), metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.mrope_sections and sum(self.mrope_sections) * 2 != self.head_dim:
            raise ConfigError(
                f"mrope_sections must add up to head_dim / 2 = {self.head_dim // 2}; got "
                f"{self.mrope_sections}."
            )
        if self.heads % self.kv_heads:
            raise ConfigError(
                f"heads must be a multiple of kv_heads; got {self.heads} and {self.kv_heads}."
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim must be even for rotary positions; got {self.head_dim}.")


@dataclass(frozen=True, kw_only=True)
class ExpertConfig:
    """What is one expert's own.

    Attributes:
        norm: "rms" multiplies by its weight, "rms_plus_one" by 1 + weight (Gemma).
        activation: of the gated MLP: SwiGLU or GeGLU.
    """

    width: Size = 96
    ffn: Size = 256
    qk_norm: bool = False
    qkv_bias: bool = True
    norm: Literal["rms", "rms_plus_one"] = field(default="rms", metadata=ADDED)
    activation: Literal["silu", "gelu_tanh"] = field(default="silu", metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)


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
        stem_bias: of a linear stem.
        norm: "layer" (SigLIP) or "rms" (Qwen2.5-VL).
        mlp: "gelu" (SigLIP) or "swiglu" (Qwen2.5-VL).
        positions: "learned", one vector a patch, or "rotary" by row and column.
        window: side in pixels of the squares within which patches see one another; 0 where all do.
        full_layers: those in which all patches see one another all the same.
        connector: "mlp" of two layers and fixed positions (BAGEL), "linear" (PaliGemma), or
            "merger", two layers of which the first keeps its width (Qwen2.5-VL).
        mean: of each colour, 0 to 1, taken from the pictures.
        std: what they are then divided by.
        resize: "bicubic" takes pictures of any size to ``image_size``; "none" takes no others.
        columns_first: of the fixed positions after the connector, columns before rows (BAGEL).
        norm_eps: of the layer norms; SigLIP has 1e-6.
    """

    image_size: tuple[Pixels, Pixels] = (64, 96)
    patch: Pixels = 8
    stem: Literal["conv", "linear"] = "conv"
    width: Size = 96
    depth: Depth = 1
    heads: Depth = 4
    ffn: Size = 256
    merge: Pixels = 2
    connector_norm: bool = True
    columns_first: bool = field(default=False, metadata=ADDED)
    norm_eps: Share = field(default=1e-5, metadata=ADDED)
    stem_bias: bool = field(default=True, metadata=ADDED)
    norm: Literal["layer", "rms"] = field(default="layer", metadata=ADDED)
    mlp: Literal["gelu", "swiglu"] = field(default="gelu", metadata=ADDED)
    positions: Literal["learned", "rotary"] = field(default="learned", metadata=ADDED)
    window: Annotated[int, Within(0, 16_384)] = field(default=0, metadata=ADDED)
    full_layers: tuple[Count, ...] = field(default=(), metadata=ADDED)
    connector: Literal["mlp", "linear", "merger"] = field(default="mlp", metadata=ADDED)
    mean: tuple[_Mean, ...] = field(default=(0.5, 0.5, 0.5), metadata=ADDED)
    std: tuple[_Spread, ...] = field(default=(0.5, 0.5, 0.5), metadata=ADDED)
    resize: Literal["none", "bicubic"] = field(default="none", metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)
        side = self.patch * self.merge
        if any(pixels % side for pixels in self.image_size):
            raise ConfigError(
                f"image_size must be multiples of patch * merge = {side}; got {self.image_size}."
            )
        if self.stem == "conv" and self.patch & (self.patch - 1):
            raise ConfigError(f"a conv stem needs a power of two as patch; got {self.patch}.")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} must be a multiple of heads {self.heads}.")
        if self.positions == "rotary" and self.width // self.heads % 4:
            raise ConfigError(
                "rotary positions need a width a head that is a multiple of 4; got "
                f"{self.width // self.heads}."
            )
        if self.window % side:
            raise ConfigError(
                f"window must be a multiple of patch * merge = {side}; got {self.window}."
            )

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
    """E_sem: vision, text embedding and the semantic expert.

    Attributes:
        attention: among views and text. "image": a view's tokens see one another, text is causal
            (BAGEL); "causal": all is (Qwen2.5-VL); "prefix": views and question see one another,
            the answer is causal (PaliGemma).
        image_rope: "shared" gives a view one rotary id, "each" every token its own, "grid" three
            ids by row and column (M-RoPE).
        scale_embeddings: whether a text token's embedding is multiplied by sqrt(width) (Gemma).
    """

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    expert: ExpertConfig = field(default_factory=ExpertConfig)
    vision: VisionConfig = field(default_factory=VisionConfig)
    vocab_size: Annotated[int, Within(1, 2**22)] = 512
    tie_embeddings: bool = True
    max_answer_tokens: Size = 12
    attention: Literal["image", "causal", "prefix"] = field(default="image", metadata=ADDED)
    image_rope: Literal["shared", "each", "grid"] = field(default="shared", metadata=ADDED)
    scale_embeddings: bool = field(default=False, metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)
        if (self.image_rope == "grid") != bool(self.backbone.mrope_sections):
            raise ConfigError(
                "image_rope 'grid' and mrope_sections go together; got "
                f"{self.image_rope!r} and {self.backbone.mrope_sections}."
            )


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """The picture autoencoder behind dorsal tokens.

    Attributes:
        widths: channels after each halving of the encoder; the decoder mirrors them.
        patch: latent pixels a side that make one token (BAGEL: 2).
        latent_channels: channels of a latent pixel.
        kind: "small" is ours; "flux" the FLUX autoencoder, two residual blocks a level and no
            halving after the last of ``widths``.
        bagel_tokens: positions of latent tokens columns first, and the periods of their times
            2 pi * 1e4^(k / n) for k < n; ours end at k = n.
        foreground_weight: weight of a pixel that differs from its picture's median colour against
            one that does not. Nine tenths of a picture are bare table; at 1 a small autoencoder
            learns the table and leaves the things out.
    """

    image_size: tuple[Pixels, Pixels] = (64, 96)
    widths: tuple[Size, ...] = (16, 32, 64, 96)
    latent_channels: Size = 24
    patch: Pixels = 1
    kl_weight: Amount = 1e-6
    foreground_weight: Amount = 9.0
    kind: Literal["small", "flux"] = field(default="small", metadata=ADDED)
    bagel_tokens: bool = field(default=False, metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.kind == "flux" and any(width % 32 for width in self.widths):
            raise ConfigError(
                f"the FLUX autoencoder's widths must be multiples of 32; got {self.widths}."
            )
        if any(pixels % self.stride for pixels in self.image_size):
            raise ConfigError(
                f"image_size must be multiples of the stride {self.stride}; got {self.image_size}."
            )

    @property
    def stride(self) -> int:
        """Pixels a side that make one token."""
        return 2 ** (len(self.widths) - (self.kind == "flux")) * self.patch

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
    """E_gen: E_sem with a generation expert, pretrained on scene changes.

    Attributes:
        image_time_shift: of the goal's times (``flow.sample_image_time``).
    """

    vlm: VLMConfig = field(default_factory=VLMConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    dorsal: ExpertConfig = field(default_factory=ExpertConfig)
    goal_start: GoalStart = "residual"
    dorsal_sees_text: bool = True
    num_goal_steps: Depth = 20
    image_time_shift: _Shape = field(default=1.0, metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True, kw_only=True)
class VLAConfig:
    """Any row of Tables 1 and 3. Build one with ``VARIANTS[name].apply(PRESETS[scale])``.

    Attributes:
        action_head: what acts, a name of ``HEADS``: "flow" is an action expert of its own that
            removes noise (pi0); "mlp" one more token of E_sem whose last state an MLP turns into
            the chunk (VLM4VLA); "bins" says each number as a token of E_sem (RT-2, OpenVLA);
            "fast" says the chunk as FAST tokens (pi0-FAST); "map" pools the states of K tokens that
            stand for actions (UP-VLA).
        mlp_width: of the MLP head's first layer after E_sem; VLM4VLA has 1024.
        gripper_dims: of the action, which an MLP head predicts as open or closed.
        insulated: knowledge insulation: what the other experts read of E_sem (an MLP head: the
            whole of E_sem) passes no gradient back, so no action or dynamics loss changes E_sem.
        dorsal_input: what the dorsal expert reads, a name of ``FEEDS``: "vae", clean VAE latents
            of the primary view; "vit", the shared ViT's tokens through a connector of their own;
            "query", learnable queries. "none" where there is no dorsal expert.
        dorsal_init: what its weights start from.
        dynamics: whether it also predicts the goal frame (UAM).
        predicts: what it then predicts of it, a name of ``PREDICTIONS``.
        wm_weight: lambda of ``L = L_act + lambda * L_wm``.
        goal_start: the goal block's start: N(z_current, I) ("residual", BagelVLA's residual
            flow guidance) or N(0, I).
        dorsal_sees_text: False for purely visual dorsal tokens.
        image_time_shift: of the goal's times (``flow.sample_image_time``). Actions read a goal
            block at time 1, which without a shift is hardly ever trained.
        chunk: K predicted actions.
        action_ids: of a head whose actions are tokens: "appended" to E_sem's text, or its "last"
            ids (OpenVLA), which then no longer stand for words.
        fast_vocab: tokens of a FAST codec, learnt from the demonstrations.
        map_heads: of a MAP head's attention; UP-VLA's published code has 8.
        gripper_loss: of a MAP head: "bce" as its paper says, or "mse" as its code has it.
        taught: a head of tokens, such as "fast", whose loss E_sem learns from while another head
            acts, of whose loss nothing reaches E_sem (pi0.5); empty where there is none.
        action_time_alpha: action times are Beta(alpha, 1), 1 being noise. pi0 has 1.5; at lower
            times the noised chunk itself shows where it goes, and nothing has to be looked up.
    """

    vlm: VLMConfig = field(default_factory=VLMConfig)
    vae: VAEConfig = field(default_factory=VAEConfig)
    dorsal: ExpertConfig = field(default_factory=ExpertConfig)
    action: ExpertConfig = field(default_factory=lambda: ExpertConfig(width=64, ffn=192))
    action_dim: Size = ACTION_DIM
    proprio_dim: Size = ACTION_DIM
    chunk: Size = 12
    action_time_alpha: _Shape = 1.5
    num_views: Depth = 1
    dorsal_input: str = "vae"
    dorsal_init: DorsalInit = "generator"
    dynamics: bool = True
    wm_weight: Amount = 1.0
    goal_start: GoalStart = "residual"
    dorsal_sees_text: bool = True
    num_queries: Size = 24
    num_euler_steps: Depth = 10
    num_goal_steps: Depth = 20
    action_head: str = field(default="flow", metadata=ADDED)
    mlp_width: Size = field(default=1024, metadata=ADDED)
    gripper_dims: tuple[Count, ...] = field(default=(6, 13), metadata=ADDED)
    insulated: bool = field(default=False, metadata=ADDED)
    image_time_shift: _Shape = field(default=1.0, metadata=ADDED)
    predicts: str = field(default="latents", metadata=ADDED)
    action_ids: Literal["appended", "last"] = field(default="appended", metadata=ADDED)
    fast_vocab: Size = field(default=1024, metadata=ADDED)
    taught: str = field(default="", metadata=ADDED)
    map_heads: Depth = field(default=8, metadata=ADDED)
    gripper_loss: Literal["bce", "mse"] = field(default="bce", metadata=ADDED)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.dorsal_init not in get_args(DorsalInit):
            raise UnknownNameError("dorsal_init", self.dorsal_init, get_args(DorsalInit))
        if self.taught and (self.head.says_tokens or not HEADS[self.taught](self).says_tokens):
            raise ConfigError(
                "taught must name a head of tokens beside one that acts otherwise; got "
                f"{self.taught!r} beside {self.action_head!r}."
            )
        for part in self.parts.values():
            part.check()
        if (self.dorsal_input == "none") != (self.dorsal_init == "none"):
            raise ConfigError(
                "dorsal_input and dorsal_init are 'none' together or not at all; got "
                f"{self.dorsal_input!r} and {self.dorsal_init!r}."
            )
        if self.dorsal_init == "vlm" and self.dorsal != self.vlm.expert:
            raise ConfigError(
                f"E_dor can copy E_sem only at its sizes {self.vlm.expert}; got {self.dorsal}."
            )

    @property
    def has_dorsal(self) -> bool:
        """Whether there is a third expert."""
        return self.dorsal_input != "none"

    @property
    def feed(self) -> Feed | None:
        """What feeds the dorsal expert; None where there is none."""
        return FEEDS[self.dorsal_input](self) if self.has_dorsal else None

    @property
    def head(self) -> Head:
        """What acts."""
        return HEADS[self.action_head](self)

    @property
    def taught_head(self) -> Head | None:
        """What E_sem learns actions from where that is not the head that acts."""
        return HEADS[self.taught](self) if self.taught else None

    @property
    def normalization(self) -> Literal["mean_std", "quantile"]:
        """Mode of the normaliser, as its heads need it."""
        return (self.taught_head or self.head).normalization

    @property
    def prediction(self) -> Prediction | None:
        """What is predicted beside the actions; None without ``dynamics``."""
        return PREDICTIONS[self.predicts](self) if self.dynamics else None

    @property
    def parts(self) -> dict[str, Part]:
        """Heads, feed and prediction, by what their parameters are counted to."""
        head, parts = self.head, {"e_dor": self.feed, "prediction": self.prediction}
        named = {"e_act" if head.expert == ACT else "head": head, **parts}
        named["taught"] = self.taught_head
        return {name: part for name, part in named.items() if part is not None}

    @property
    def copied(self) -> Mapping[str, str]:
        """Layers of the feed -> those of what E_dor starts from, whose weights they start with."""
        return self.feed.copied(self.dorsal_init) if self.feed else {}

    @property
    def reads_latents(self) -> bool:
        """Whether there is a VAE."""
        return any(part.reads_latents for part in self.parts.values())

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
            image_time_shift=self.image_time_shift,
        )


ModelConfig = VLMConfig | VAEConfig | GeneratorConfig | VLAConfig


def config_to_json(config: Any) -> dict[str, Any]:
    """A config as nested JSON values; ``config_from_json`` reads it back."""
    return dataclasses.asdict(config)


def config_from_json(cls: type[ConfigT], value: Mapping[str, Any]) -> ConfigT:
    """Inverse of ``config_to_json``.

    Raises:
        UnknownNameError: a key that ``cls`` does not have.
        ConfigError: a value of another type than its field's, or out of its bounds.
    """
    return from_json(cls, value)
