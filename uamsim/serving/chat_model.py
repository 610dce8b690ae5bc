"""The VLM inside any checkpoint, asked in words about pictures."""

import secrets
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from uamsim.errors import CheckpointError
from uamsim.models.checkpoint import load_checkpoint
from uamsim.models.vla import VLA
from uamsim.models.vlm import VLM
from uamsim.serving.chat_requests import ChatRequest

PROMPT_MULTIPLE = 16
"""Prompts are padded to a multiple of so many tokens, so that more of them share a call."""


@dataclass(frozen=True, kw_only=True)
class ChatReply:
    """An answer.

    Attributes:
        text: without what ended it.
        finish_reason: "stop", or "length" where the limit came first.
        prompt_tokens: of text and pictures.
        completion_tokens: decoded, the one that ends the answer counted.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class ChatModel:
    """The VLM of a checkpoint of kind "vlm" or "vla", after its action tuning.

    Args:
        checkpoint: of either kind.
        device: where it runs; never chosen for you.

    Raises:
        CheckpointError: the file is missing, corrupt or has no VLM.
    """

    def __init__(self, checkpoint: Path, *, device: str = "cpu") -> None:
        model = load_checkpoint(checkpoint).build()
        vlm = model.vlm if isinstance(model, VLA) else model
        if not isinstance(vlm, VLM):
            raise CheckpointError(
                f"expected a checkpoint with a VLM, of kind 'vlm' or 'vla', at {checkpoint}, got "
                f"a {type(model).__name__}."
            )
        self.name = checkpoint.stem
        self._vlm = vlm.to(device).eval()
        self.image_size = vlm.config.vision.image_size

    def key(self, request: ChatRequest) -> Hashable:
        """Requests of one key may share a call, and none waits for another's longer answer."""
        length = self._num_tokens(request)
        return len(request.pictures), -(-length // PROMPT_MULTIPLE), self._limit(request)

    def reply(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """One reply for each of some requests of one key."""
        vlm, limit = self._vlm, self._limit(requests[0])
        images = None
        if requests[0].pictures:
            stacked = np.stack([np.stack(list(request.pictures)) for request in requests])
            images = torch.from_numpy(stacked).to(vlm.device)
        decoded = vlm.generate(
            images,
            [request.text for request in requests],
            limit=limit,
            multiple=PROMPT_MULTIPLE,
            choose=_Chooser(requests),
        )
        return [
            self._finish(request, ids, ended)
            for request, ids, ended in zip(
                requests, decoded.ids.tolist(), decoded.ended.tolist(), strict=True
            )
        ]

    def _finish(self, request: ChatRequest, ids: list[int], ended: bool) -> ChatReply:
        eos = self._vlm.tokenizer.eos_id
        text = self._vlm.tokenizer.decode(ids)
        places = [place for stop in request.stop if (place := text.find(stop)) >= 0]
        seen = len(request.pictures) * self._vlm.config.vision.num_tokens
        return ChatReply(
            text=text[: min(places)] if places else text,
            finish_reason="stop" if ended or places else "length",
            prompt_tokens=self._num_tokens(request) + seen,
            completion_tokens=ids.index(eos) + 1 if ended else len(ids),
        )

    def _num_tokens(self, request: ChatRequest) -> int:
        return len(self._vlm.tokenizer.encode_prompt(request.text))

    def _limit(self, request: ChatRequest) -> int:
        return request.max_tokens or self._vlm.config.max_answer_tokens


class _Chooser:
    """The likeliest token, or one drawn from a row's own generator, whoever shares its call."""

    def __init__(self, requests: Sequence[ChatRequest]) -> None:
        self._temperatures = [request.temperature for request in requests]
        self._generators = [
            torch.Generator().manual_seed(
                secrets.randbits(63) if request.seed is None else request.seed
            )
            for request in requests
        ]

    def __call__(self, logits: Tensor) -> Tensor:
        chosen = logits.argmax(-1)
        for row, (temperature, generator) in enumerate(
            zip(self._temperatures, self._generators, strict=True)
        ):
            if temperature > 0:
                shares = torch.softmax(logits[row].double().cpu() / temperature, -1)
                chosen[row] = torch.multinomial(shares, 1, generator=generator).item()
        return chosen
