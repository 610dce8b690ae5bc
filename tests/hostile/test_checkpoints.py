"""A damaged or invented checkpoint is refused with a sentence, and quickly."""

import random
from pathlib import Path

from hostile.checkpoints import altered
from uamsim.errors import CheckpointError
from uamsim.models.checkpoint import load_checkpoint, save_checkpoint
from uamsim.models.config import BackboneConfig, ExpertConfig, VisionConfig, VLMConfig
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vlm import VLM

CONFIG = VLMConfig(
    backbone=BackboneConfig(depth=1, heads=2, kv_heads=1, head_dim=8),
    expert=ExpertConfig(width=16, ffn=32),
    vision=VisionConfig(image_size=(32, 48), width=16, heads=2, ffn=32),
    vocab_size=300,
)


def test_an_altered_header_gives_the_model_or_a_sentence(tmp_path: Path):
    vlm = VLM(CONFIG, Tokenizer.train(["press the button"], 300))
    save_checkpoint(tmp_path / "whole", vlm, kind="vlm", config=CONFIG)
    content, rng = (tmp_path / "whole").read_bytes(), random.Random(0)
    refused = 0
    for _ in range(80):
        (tmp_path / "altered").write_bytes(altered(content, rng))
        try:
            load_checkpoint(tmp_path / "altered").build()
        except CheckpointError:
            refused += 1
    assert refused > 25
