"""The vision-language model E_sem: pictures and text in, short answers out.

Axes: B batch, V views, T tokens, W width.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uamsim.errors import ConfigError, ShapeError
from uamsim.models.config import ExpertConfig, VLMConfig
from uamsim.models.mot import KVCache, MoT
from uamsim.models.segments import PADDING, Layout, Segment, additive
from uamsim.models.tokenizer import EOS, PAD, Tokenizer
from uamsim.models.vision import Connector, VisionTransformer

SEM = "sem"


@dataclass(frozen=True)
class Prompts:
    """Padded prompts: token ids [B, T], lengths [B]."""

    ids: Tensor
    lengths: Tensor

    @property
    def docs(self) -> Tensor:
        """Document ids [B, T]: 0, and ``PADDING`` past the end."""
        steps = torch.arange(self.ids.shape[1], device=self.ids.device)
        return torch.where(steps < self.lengths[:, None], 0, PADDING)


@dataclass(frozen=True)
class PackedAnswers:
    """Several question-answer pairs in a row behind each picture.

    Attributes:
        ids: [B, T] inputs.
        docs: [B, T] pair of each token, from 1, or ``PADDING``.
        steps: [B, T] place of each token in its pair.
        rows: [N] flat index (in B * T) of each token that predicts an answer token.
        targets: [N] what it should predict.
    """

    ids: Tensor
    docs: Tensor
    steps: Tensor
    rows: Tensor
    targets: Tensor


def pack_answers(
    tokenizer: Tokenizer, questions: Sequence[Sequence[str]], answers: Sequence[Sequence[str]]
) -> PackedAnswers:
    """Packs each picture's pairs behind one another; <eos> is predicted, never read."""
    pairs = [
        [
            (tokenizer.encode_prompt(q), tokenizer.encode_answer(a))
            for q, a in zip(*row, strict=True)
        ]
        for row in zip(questions, answers, strict=True)
    ]
    length = max(sum(len(p) + len(a) - 1 for p, a in row) for row in pairs)
    ids = np.full((len(pairs), length), PAD, np.int64)
    docs, steps = np.full_like(ids, PADDING), np.zeros_like(ids)
    rows: list[np.ndarray] = []
    targets: list[int] = []
    for b, row in enumerate(pairs):
        start = 0
        for doc, (prompt, answer) in enumerate(row, start=1):
            stop = start + len(prompt) + len(answer) - 1
            ids[b, start:stop] = (*prompt, *answer[:-1])
            docs[b, start:stop] = doc
            steps[b, start:stop] = np.arange(stop - start)
            rows.append(b * length + np.arange(start + len(prompt) - 1, stop))
            targets.extend(answer)
            start = stop
    return PackedAnswers(
        *map(torch.from_numpy, (ids, docs, steps, np.concatenate(rows), np.array(targets)))
    )


class VLM(nn.Module):
    """E_sem, alone or with more experts beside it in the same layers.

    Args:
        tokenizer: what turns text into ids and back.
        experts: further experts of the mixture; they never change what E_sem computes.
        seed: of the initial weights.
    """

    def __init__(
        self,
        config: VLMConfig,
        tokenizer: Tokenizer,
        *,
        experts: Mapping[str, ExpertConfig] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if tokenizer.vocab_size > config.vocab_size:
            raise ConfigError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, vocab_size only "
                f"{config.vocab_size}."
            )
        self.config, self.tokenizer = config, tokenizer
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = config.expert.width
            self.vision = VisionTransformer(config.vision)
            self.connector = Connector(config.vision, width)
            self.embed = nn.Embedding(config.vocab_size, width)
            nn.init.normal_(self.embed.weight, std=width**-0.5)
            if not config.tie_embeddings:
                self.head = nn.Linear(width, config.vocab_size, bias=False)
            self.mot = MoT(config.backbone, {SEM: config.expert, **(experts or {})})

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed.weight.device

    def sem_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """E_sem's own parameters with their names, those of a standalone VLM."""
        others = [f".{kind}.{name}." for kind in ("experts", "norms") for name in self._others()]
        for name, parameter in self.named_parameters():
            if not any(other in f".{name}" for other in others):
                yield name, parameter

    def _others(self) -> list[str]:
        return [name for name in self.mot.norms if name != SEM]

    def layout(self, num_text: int, num_views: int = 1) -> Layout:
        """V for each view, then L."""
        return Layout(self.segments(num_text, num_views))

    def segments(self, num_text: int, num_views: int = 1) -> tuple[Segment, ...]:
        """The segments that go through E_sem."""
        view = Segment(kind="V", expert=SEM, length=self.config.vision.num_tokens)
        text = Segment(kind="L", expert=SEM, length=num_text, rope="text", causal=True)
        return (view,) * num_views + (text,)

    def prompts(self, texts: Sequence[str], *, multiple: int = 1) -> Prompts:
        """Questions or instructions, padded to the next multiple of the longest's length."""
        rows = [self.tokenizer.encode_prompt(text) for text in texts]
        longest = -(-max(map(len, rows)) // multiple) * multiple
        ids = np.full((len(rows), longest), PAD, np.int64)
        for row, tokens in zip(ids, rows, strict=True):
            row[: len(tokens)] = tokens
        lengths = torch.tensor([len(tokens) for tokens in rows])
        return Prompts(torch.from_numpy(ids).to(self.device), lengths.to(self.device))

    def view_features(self, images: Tensor) -> Tensor:
        """ViT features [B, V, T, merge^2 * vision width] of uint8 [B, V, H, W, 3]."""
        if images.ndim != 5:
            raise ShapeError(f"images must be [B, V, H, W, 3]; got {tuple(images.shape)}.")
        return self.vision(images.flatten(0, 1)).unflatten(0, images.shape[:2])

    def embed_prefix(self, features: Tensor, ids_BT: Tensor) -> Tensor:
        """E_sem's input [B, T, W]: the views' tokens, then the text's."""
        views = self.connector(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        return torch.cat((views.flatten(1, 2), self.embed(ids_BT)), dim=1)

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits [..., vocab]."""
        return (
            F.linear(hidden, self.embed.weight) if self.config.tie_embeddings else self.head(hidden)
        )

    def answer_loss(
        self,
        images: Tensor,
        questions: Sequence[Sequence[str]],
        answers: Sequence[Sequence[str]],
    ) -> Tensor:
        """Mean cross-entropy over answer tokens and <eos>.

        Args:
            images: uint8 [B, H, W, 3].
            questions: one or more for each picture; each pair sees the picture and itself only.
            answers: as many.
        """
        batch = pack_answers(self.tokenizer, questions, answers)
        ids, docs, steps, rows, targets = (t.to(self.device) for t in vars(batch).values())
        layout = self.layout(ids.shape[1])
        num_image = layout.span("V").stop
        image_BT = torch.zeros((len(ids), num_image), dtype=torch.long, device=self.device)
        mask = additive(layout.dense_mask(torch.cat((image_BT, docs), dim=1)))
        rotary = self.mot.rotary(torch.cat((image_BT, steps + 1), dim=1))
        x = self.embed_prefix(self.view_features(images[:, None]), ids)
        out = self.mot({SEM: x}, rotary, mask, keep={SEM: slice(num_image, None)})
        return F.cross_entropy(self.logits(out.hidden[SEM].flatten(0, 1)[rows]), targets)

    @torch.inference_mode()
    def answer(self, images: Tensor, questions: Sequence[str]) -> list[str]:
        """Greedy answers, one question for each of uint8 [B, H, W, 3]."""
        prompts = self.prompts(questions)
        layout = self.layout(prompts.ids.shape[1])
        num_image = layout.span("V").stop
        docs = F.pad(prompts.docs, (num_image, 0))
        rotary = self.mot.rotary(layout.positions(prompts.lengths))
        x = self.embed_prefix(self.view_features(images[:, None]), prompts.ids)
        mask = additive(layout.dense_mask(docs))
        out = self.mot({SEM: x}, rotary, mask, keep={SEM: slice(num_image, None)})
        index = (prompts.lengths - 1)[:, None, None].expand(-1, 1, x.shape[-1])
        hidden = out.hidden[SEM].gather(1, index)
        tokens = self._decode(hidden, out.cache, docs, 1 + prompts.lengths)
        return [self.tokenizer.decode(row) for row in tokens.tolist()]

    def _decode(self, hidden: Tensor, cache: KVCache, docs: Tensor, positions_B: Tensor) -> Tensor:
        """Greedy tokens [B, <= max_answer_tokens] from the prompt's last state [B, 1, W]."""
        visible = docs == 0
        done = torch.zeros(len(docs), dtype=torch.bool, device=docs.device)
        tokens: list[Tensor] = []
        for step in range(self.config.max_answer_tokens):
            token_B = self.logits(hidden[:, 0]).argmax(-1)
            tokens.append(torch.where(done, EOS, token_B))
            done = done | (token_B == EOS)
            if bool(done.all()) or step == self.config.max_answer_tokens - 1:
                break
            visible = F.pad(visible, (0, 1), value=True)
            rotary = self.mot.rotary((positions_B + step)[:, None])
            mask = additive(visible[:, None, None, :])
            out = self.mot({SEM: self.embed(token_B)[:, None]}, rotary, mask, past=cache)
            hidden = out.hidden[SEM]
            cache = [
                (torch.cat((k, new_k), 1), torch.cat((v, new_v), 1))
                for (k, v), (new_k, new_v) in zip(cache, out.cache, strict=True)
            ]
        return torch.stack(tokens, dim=1)
