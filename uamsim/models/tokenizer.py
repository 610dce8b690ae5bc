"""A trained byte-level BPE: any UTF-8 text is representable, so languages are just text.

And another model's tokenizer, with the text that its training put around pictures and questions.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from uamsim.errors import CheckpointError, ConfigError

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<image>", "<answer>")
PAD, BOS, EOS, IMAGE, ANSWER = range(len(SPECIAL_TOKENS))
MAX_CACHED_TOKENS = 2_000_000
"""Of all texts whose ids are kept at hand, less than 100 MB; past it they are forgotten."""
LONGEST_CACHED = 256
"""Tokens of a text that is kept; a longer one is no sentence that comes again."""


class Tokenizer:
    """Byte-level BPE after the special ids.

    The special tokens are ids only: text that spells "<eos>" stays text.

    Attributes:
        pad_id: fills short rows.
        eos_id: ends an answer.
        before_views: ids ahead of the first picture.
        around_view: ids before and after each picture.
    """

    pad_id = PAD
    eos_id = EOS
    before_views: tuple[int, ...] = ()
    around_view: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        self._bpe = bpe
        self._cache: dict[str, tuple[int, ...]] = {}
        self._num_cached = 0

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int = 512) -> "Tokenizer":
        """Learns at most ``vocab_size`` tokens, special ones counted.

        Raises:
            ConfigError: ``vocab_size`` cannot hold all bytes and the special tokens.
        """
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        if vocab_size < len(alphabet) + len(SPECIAL_TOKENS):
            raise ConfigError(
                f"vocab_size must be at least {len(alphabet) + len(SPECIAL_TOKENS)}, to hold every "
                f"byte; got {vocab_size}."
            )
        bpe = tokenizers.Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - len(SPECIAL_TOKENS),
            initial_alphabet=sorted(alphabet),
            show_progress=False,
        )
        bpe.train_from_iterator((" " + text for text in texts), trainer)
        return cls(bpe)

    @property
    def vocab_size(self) -> int:
        """Ids in use, special ones counted."""
        return self._bpe.get_vocab_size() + len(SPECIAL_TOKENS)

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of ``text``, without special tokens."""
        return self._cache.get(text) or self._remember(text, self._encode(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        # A leading space makes a word the same tokens wherever it stands.
        return tuple(i + len(SPECIAL_TOKENS) for i in self._bpe.encode(" " + text).ids)

    def _remember(self, text: str, ids: tuple[int, ...]) -> tuple[int, ...]:
        if len(ids) <= LONGEST_CACHED:
            if self._num_cached > MAX_CACHED_TOKENS:
                self._cache, self._num_cached = {}, 0
            self._cache[text] = ids
            self._num_cached += len(ids)
        return ids

    def encode_prompt(self, text: str) -> tuple[int, ...]:
        """A question as E_sem reads it: the text, then <answer>."""
        return (*self.encode(text), ANSWER)

    def encode_instruction(self, text: str) -> tuple[int, ...]:
        """An instruction as E_sem reads it: here like a question."""
        return self.encode_prompt(text)

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """An answer as E_sem writes it: the text, then <eos>."""
        return (*self.encode(text), EOS)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids`` up to the first <eos>; other special tokens are dropped."""
        kept: list[int] = []
        for i in ids:
            if i == EOS:
                break
            if i >= len(SPECIAL_TOKENS):
                kept.append(int(i) - len(SPECIAL_TOKENS))
        text = self._bpe.decode(kept, skip_special_tokens=False)
        return text.removeprefix(" ")

    def to_json(self) -> str:
        """The whole tokenizer as JSON text."""
        return self._bpe.to_str()

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """Inverse of ``to_json``.

        Raises:
            CheckpointError: ``text`` is not a tokenizer.
        """
        try:
            value = json.loads(text)
            if "template" in value:
                bpe = tokenizers.Tokenizer.from_str(value["tokenizer"])
                return PretrainedTokenizer(bpe, Template.from_json(value["template"]))
            return Tokenizer(tokenizers.Tokenizer.from_str(text))
        except CheckpointError:
            raise
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(f"not a tokenizer: {error}") from error

    def save(self, path: Path) -> None:
        """Writes ``to_json`` to ``path``."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads what ``save`` wrote.

        Raises:
            CheckpointError: the file is missing or not a tokenizer.
        """
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CheckpointError(f"cannot read the tokenizer {path}: {error}") from error
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path} is not a tokenizer: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Template:
    """The text that a model's training put around pictures, questions and answers.

    Attributes:
        before: ahead of the first picture.
        view: before and after each picture.
        question: before and after the question, or an instruction.
        answer: what is read before an answer, and not where an instruction asks for none.
        end: the token that ends an answer.
        pad: the token that fills short rows.
    """

    before: str = ""
    view: tuple[str, str] = ("", "")
    question: tuple[str, str] = ("", "")
    answer: str = ""
    end: str
    pad: str

    @classmethod
    def from_json(cls, value: dict[str, object]) -> "Template":
        """A template whose pairs have become lists."""
        pairs = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        return cls(**pairs)  # pyright: ignore[reportArgumentType]

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Every token like ``<|im_end|>`` or ``<bos>`` in it."""
        texts = (self.before, *self.view, *self.question, self.answer, self.end, self.pad)
        return tuple(dict.fromkeys(re.findall(r"<\|?\w+\|?>", " ".join(texts))))


class PretrainedTokenizer(Tokenizer):
    """Another model's tokenizer; ids are its own.

    Special tokens come from the template alone: text that spells one stays text.

    Args:
        bpe: what ``tokenizer.json`` holds.
        template: see the class.

    Raises:
        CheckpointError: the template has a token that the tokenizer lacks.
    """

    def __init__(self, bpe: tokenizers.Tokenizer, template: Template) -> None:
        super().__init__(bpe)
        self.template = template
        vocabulary = bpe.get_vocab()
        absent = [token for token in template.special_tokens if token not in vocabulary]
        if absent:
            raise CheckpointError(
                f"the tokenizer lacks {', '.join(absent)}, which its model's prompts need. Use the "
                "tokenizer.json that the weights came with."
            )
        self._vocab_size = max(vocabulary.values()) + 1
        self.pad_id, self.eos_id = vocabulary[template.pad], vocabulary[template.end]
        self._special = {vocabulary[token] for token in template.special_tokens}
        bpe.encode_special_tokens = False

        def ids(text: str) -> tuple[int, ...]:
            return tuple(bpe.encode(text, add_special_tokens=False).ids)

        self.before_views = ids(template.before)
        self.around_view = (ids(template.view[0]), ids(template.view[1]))
        self._question = (ids(template.question[0]), ids(template.question[1]))
        self._answer = ids(template.answer)
        bpe.encode_special_tokens = True

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return self._vocab_size

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._bpe.encode(text, add_special_tokens=False).ids)

    def encode_prompt(self, text: str) -> tuple[int, ...]:
        """A question in its template, up to where its answer begins."""
        return (*self.encode_instruction(text), *self._answer)

    def encode_instruction(self, text: str) -> tuple[int, ...]:
        """An instruction in the template of a question."""
        return (*self._question[0], *self.encode(text), *self._question[1])

    def encode_answer(self, text: str) -> tuple[int, ...]:
        """The text, then the token that ends an answer."""
        return (*self.encode(text), self.eos_id)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ``ids`` up to the first end; the template's tokens are dropped."""
        kept: list[int] = []
        for i in map(int, ids):
            if i == self.eos_id:
                break
            if i not in self._special:
                kept.append(i)
        return self._bpe.decode(kept, skip_special_tokens=True)

    def to_json(self) -> str:
        """The tokenizer and its template as JSON text."""
        value = {"template": dataclasses.asdict(self.template), "tokenizer": self._bpe.to_str()}
        return json.dumps(value)
