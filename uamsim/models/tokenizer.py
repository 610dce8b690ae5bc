"""A trained byte-level BPE: any UTF-8 text is representable, so languages are just text."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from uamsim.errors import CheckpointError, ConfigError

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<image>", "<answer>")
PAD, BOS, EOS, IMAGE, ANSWER = range(len(SPECIAL_TOKENS))


class Tokenizer:
    """Byte-level BPE after the special ids.

    The special tokens are ids only: text that spells "<eos>" stays text.
    """

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        self._bpe = bpe
        self._cache: dict[str, tuple[int, ...]] = {}

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
        ids = self._cache.get(text)
        if ids is None:
            # A leading space makes a word the same tokens wherever it stands.
            ids = tuple(i + len(SPECIAL_TOKENS) for i in self._bpe.encode(" " + text).ids)
            if len(self._cache) < 100_000:
                self._cache[text] = ids
        return ids

    def encode_prompt(self, text: str) -> tuple[int, ...]:
        """A question or an instruction as E_sem reads it: the text, then <answer>."""
        return (*self.encode(text), ANSWER)

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
            return cls(tokenizers.Tokenizer.from_str(text))
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
