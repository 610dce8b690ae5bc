"""The vision-language model E_sem: pictures and text in, short answers out.

Axes: B batch, V views, T tokens, W width.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from uamsim.errors import ConfigError, ShapeError
from uamsim.models.config import ExpertConfig, VLMConfig
from uamsim.models.decoding import Decoded, Decoder, Prefilled, Rules, decode
from uamsim.models.mot import MoT, MoTOutput
from uamsim.models.segments import PADDING, Layout, additive
from uamsim.models.tokenizer import Tokenizer
from uamsim.models.vision import Connector, VisionTransformer
from uamsim.models.wiring import SEM, Kind, RopeRule, Segment


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
        pictures: [B] picture of each row.
        ids: [B, T] inputs.
        docs: [B, T] pair of each token, from 1, or ``PADDING``; where views and question are a
            prefix, 0 for the question and 1 for its answer.
        steps: [B, T] place of each token in its pair.
        rows: [N] flat index (in B * T) of each token that predicts an answer token.
        targets: [N] what it should predict.
    """

    pictures: Tensor
    ids: Tensor
    docs: Tensor
    steps: Tensor
    rows: Tensor
    targets: Tensor


def pack_answers(
    tokenizer: Tokenizer,
    questions: Sequence[Sequence[str]],
    answers: Sequence[Sequence[str]],
    *,
    prefix: bool = False,
) -> PackedAnswers:
    """Packs each picture's pairs behind one another; <eos> is predicted, never read.

    Args:
        tokenizer: of the model that reads them.
        questions: some for each picture.
        answers: as many.
        prefix: gives each pair a row, as a picture that sees its question needs.
    """
    pairs = [
        [
            (tokenizer.encode_prompt(q), tokenizer.encode_answer(a))
            for q, a in zip(*row, strict=True)
        ]
        for row in zip(questions, answers, strict=True)
    ]
    pictures = [i for i, row in enumerate(pairs) for _ in (row if prefix else row[:1])]
    if prefix:
        pairs = [[pair] for row in pairs for pair in row]
    length = max(sum(len(p) + len(a) - 1 for p, a in row) for row in pairs)
    ids = np.full((len(pairs), length), tokenizer.pad_id, np.int64)
    docs, steps = np.full_like(ids, PADDING), np.zeros_like(ids)
    rows: list[np.ndarray] = []
    targets: list[int] = []
    for b, row in enumerate(pairs):
        start = 0
        for doc, (prompt, answer) in enumerate(row, start=1):
            stop = start + len(prompt) + len(answer) - 1
            ids[b, start:stop] = (*prompt, *answer[:-1])
            docs[b, start:stop] = doc
            if prefix:
                docs[b, start : start + len(prompt)] = 0
            steps[b, start:stop] = np.arange(stop - start)
            rows.append(b * length + np.arange(start + len(prompt) - 1, stop))
            targets.extend(answer)
            start = stop
    return PackedAnswers(
        torch.tensor(pictures),
        *map(torch.from_numpy, (ids, docs, steps, np.concatenate(rows), np.array(targets))),
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
        return Layout(self.segments(num_text, num_views), prefix=self.prefix)

    @property
    def prefix(self) -> bool:
        """Whether views and question see one another."""
        return self.config.attention == "prefix"

    def segments(self, num_text: int, num_views: int = 1) -> tuple[Segment, ...]:
        """The segments that go through E_sem: M ahead of all views, M V M for each, L."""
        head = Segment(
            kind="M", expert=SEM, length=len(self.tokenizer.before_views), rope="text", causal=True
        )
        views = [part for view in range(num_views) for part in self._view_segments(view)]
        text = Segment(kind="L", expert=SEM, length=num_text, rope="text", causal=not self.prefix)
        return tuple(s for s in (head, *views, text) if s.length or s.kind == "L")

    def _view_segments(self, view: int) -> tuple[Segment, Segment, Segment]:
        """One view with the marks around it, which share its rotary id where it has one (BAGEL)."""
        before, after = map(len, self.tokenizer.around_view)
        num_tokens, causal = self.config.vision.num_tokens, self.config.attention == "causal"
        shared = self.config.image_rope == "shared"

        def part(kind: Kind, length: int, rope: RopeRule) -> Segment:
            return Segment(
                kind=kind,
                expert=SEM,
                length=length,
                rope=rope,
                causal=causal,
                view=None if causal else view,
                grid=self.config.vision.grid if rope == "grid" else (0, 0),
            )

        rope: RopeRule = "grid" if self.config.image_rope == "grid" else "text"
        if shared:
            rope = "noise" if after else "image"
        return (
            part("M", before, "noise" if shared else "text"),
            part("V", num_tokens, rope),
            part("M", after, "image" if shared else "text"),
        )

    def prompts(self, texts: Sequence[str], *, multiple: int = 1, asking: bool = False) -> Prompts:
        """Instructions, or questions where ``asking``, padded to a multiple of tokens."""
        encode = self.tokenizer.encode_prompt if asking else self.tokenizer.encode_instruction
        rows = [encode(text) for text in texts]
        longest = -(-max(map(len, rows)) // multiple) * multiple
        ids = np.full((len(rows), longest), self.tokenizer.pad_id, np.int64)
        for row, tokens in zip(ids, rows, strict=True):
            row[: len(tokens)] = tokens
        lengths = torch.tensor([len(tokens) for tokens in rows])
        return Prompts(torch.from_numpy(ids).to(self.device), lengths.to(self.device))

    def view_features(self, images: Tensor) -> Tensor:
        """ViT features [B, V, T, merge^2 * vision width] of uint8 [B, V, H, W, 3]."""
        if images.ndim != 5:
            raise ShapeError(f"images must be [B, V, H, W, 3]; got {tuple(images.shape)}.")
        return self.vision(images.flatten(0, 1)).unflatten(0, images.shape[:2])

    def embed_prefix(self, features: Tensor | None, ids_BT: Tensor) -> Tensor:
        """E_sem's input [B, T, W]: the views' tokens, if any, then the text's."""
        text = self.embed_text(ids_BT)
        parts = (text,) if features is None else (self._embed_views(features), text)
        if self.tokenizer.before_views:
            parts = (self._constant(self.tokenizer.before_views, ids_BT.shape[:1]), *parts)
        return torch.cat(parts, dim=1)

    def _embed_views(self, features: Tensor) -> Tensor:
        views = self.connector(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        marks = self.tokenizer.around_view
        if any(marks):
            before, after = (self._constant(ids, views.shape[:2]) for ids in marks)
            views = torch.cat((before, views, after), dim=2)
        return views.flatten(1, 2)

    def embed_text(self, ids: Tensor) -> Tensor:
        """Text tokens [..., T, W] of ids [..., T]."""
        tokens = self.embed(ids)
        return tokens * tokens.shape[-1] ** 0.5 if self.config.scale_embeddings else tokens

    @property
    def num_marks(self) -> int:
        """Tokens before and after each picture."""
        return sum(map(len, self.tokenizer.around_view))

    def marks(self, batch_size: int, num_pictures: int) -> Tensor:
        """What E_sem reads around pictures whose own tokens another expert reads, [B, T, W]."""
        return self._constant(sum(self.tokenizer.around_view * num_pictures, ()), (batch_size,))

    def _constant(self, ids: Sequence[int], shape: Sequence[int]) -> Tensor:
        """The same tokens for each of ``shape``."""
        tokens = self.embed_text(torch.tensor(ids, dtype=torch.long, device=self.device))
        return tokens.expand(*shape, -1, -1)

    @property
    def output_weight(self) -> Tensor:
        """Of the layer that gives logits, [vocab, W]."""
        return self.embed.weight if self.config.tie_embeddings else self.head.weight

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits [..., vocab]."""
        return F.linear(hidden, self.output_weight)

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
        batch = pack_answers(self.tokenizer, questions, answers, prefix=self.prefix)
        pictures, ids, docs, steps, rows, targets = (
            t.to(self.device) for t in vars(batch).values()
        )
        layout = self.layout(ids.shape[1])
        num_image = layout.start("L")
        mask = additive(layout.dense_mask(F.pad(docs, (num_image, 0))))
        positions = layout.positions(torch.zeros_like(ids[:, 0]))
        text = positions[..., num_image : num_image + 1] + steps
        rotary = self.mot.rotary(torch.cat((positions[..., :num_image], text), dim=-1))
        features = self.view_features(images[:, None])
        x = self.embed_prefix(features[pictures] if self.prefix else features, ids)
        out = self.mot({SEM: x}, rotary, mask, keep={SEM: slice(num_image, None)})
        return F.cross_entropy(self.logits(out.hidden[SEM].flatten(0, 1)[rows]), targets)

    def answer(self, images: Tensor, questions: Sequence[str]) -> list[str]:
        """Greedy answers, one question for each of uint8 [B, H, W, 3]."""
        decoded = self.generate(images[:, None], questions)
        return [self.tokenizer.decode(row) for row in decoded.ids.tolist()]

    @torch.inference_mode()
    def generate(
        self,
        images: Tensor | None,
        questions: Sequence[str],
        *,
        limit: int | None = None,
        multiple: int = 1,
        choose: Callable[[Tensor], Tensor] | None = None,
    ) -> Decoded:
        """Answers as ids, one for each question.

        Args:
            images: uint8 [B, V, H, W, 3] ahead of the questions; None for questions alone.
            questions: B texts.
            limit: of an answer's tokens; the config's by default.
            multiple: prompts are padded to a multiple of so many tokens.
            choose: see ``decoding.decode``.
        """
        prompts = self.prompts(questions, multiple=multiple, asking=True)
        out = self(prompts, images)
        states = out.hidden[SEM]
        index = (prompts.lengths - 1)[:, None, None].expand(-1, 1, states.shape[-1])
        layout = self.layout(states.shape[1], 0 if images is None else images.shape[1])
        # The text's ids are the same in all three where a token has three.
        places = layout.positions(prompts.lengths)[..., layout.start("L")]
        first_B = places.view(-1, len(questions))[0]
        limit = limit or self.config.max_answer_tokens
        steps = torch.arange(limit, device=self.device)
        visible = F.pad(prompts.docs == 0, (layout.start("L"), limit), value=True)
        prefix = Prefilled(
            out.cache,
            self.mot.rotary((first_B + prompts.lengths)[:, None] + steps),
            additive(visible[:, None, None]).expand(-1, -1, limit, -1),
        )
        return decode(
            Decoder(self.mot, SEM, prefix),
            states.gather(1, index)[:, 0],
            Rules(limit=limit, stop=self.tokenizer.eos_id),
            logits=self.logits,
            embed=self.embed_text,
            choose=choose,
        )

    def forward(self, prompts: Prompts, images: Tensor | None = None) -> MoTOutput:
        """L's final states [B, T, W] under "sem", and the cache of all tokens.

        Args:
            prompts: B texts.
            images: uint8 [B, V, H, W, 3] ahead of them.
        """
        features = None if images is None else self.view_features(images)
        layout = self.layout(prompts.ids.shape[1], 0 if images is None else images.shape[1])
        start = layout.start("L")
        mask = additive(layout.dense_mask(F.pad(prompts.docs, (start, 0))))
        rotary = self.mot.rotary(layout.positions(prompts.lengths))
        x = {SEM: self.embed_prefix(features, prompts.ids)}
        return self.mot(x, rotary, mask, keep={SEM: slice(start, None)})
