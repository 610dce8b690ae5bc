"""FAST: a chunk's cosine transform, rounded, as tokens of a byte-pair encoding.

Pertsch et al., FAST: Efficient Action Tokenization for Vision-Language-Action Models, 2025.
Axes: N chunks, K actions of a chunk, A action, M merges.
"""

import functools
import json
from collections.abc import Sequence

import numpy as np
import tokenizers
from scipy.fft import dct, idct
from tokenizers import models, trainers

SYMBOLS = 256
"""Whole numbers from -128 that a coefficient is rounded to; the alphabet of the encoding."""
SCALE = 10.0
"""Of a coefficient before rounding."""
FIRST = 0x4E00
"""Symbols are letters from here on, in which the encoding sees nothing but letters."""


def coefficients(actions_NKA: np.ndarray) -> np.ndarray:
    """The rounded transform over time, int64 [N, K, A]; most of the last are zero."""
    transformed = np.asarray(dct(actions_NKA.astype(np.float64), axis=1, norm="ortho"))
    return np.rint(SCALE * transformed).astype(np.int64)


def symbols(actions_NKA: np.ndarray) -> np.ndarray:
    """Symbols [N, K * A], slow movements of all dimensions first."""
    low = -SYMBOLS // 2
    return np.clip(coefficients(actions_NKA), low, low + SYMBOLS - 1).reshape(
        len(actions_NKA), -1
    ) + (SYMBOLS // 2)


def chunk_of(symbols_S: np.ndarray, chunk: int, action_dim: int) -> np.ndarray:
    """Actions [K, A] of the symbols of one chunk."""
    scaled = (symbols_S.reshape(chunk, action_dim) - SYMBOLS // 2) / SCALE
    return np.asarray(idct(scaled, axis=0, norm="ortho"), np.float32)


def learn_merges(actions_NKA: np.ndarray, num_merges: int) -> np.ndarray:
    """The most frequent pairs, int64 [M, 2]; -1 in place of those that the chunks do not have.

    Args:
        actions_NKA: normalised chunks.
        num_merges: M.
    """
    texts = [_text(row) for row in symbols(actions_NKA)]
    bpe = tokenizers.Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=SYMBOLS + num_merges,
        initial_alphabet=[chr(FIRST + i) for i in range(SYMBOLS)],
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    vocabulary = bpe.get_vocab()
    ids: dict[str, int] = {chr(FIRST + i): i for i in range(SYMBOLS)}
    merges = np.full((num_merges, 2), -1, np.int64)
    learnt = sorted((i, text) for text, i in vocabulary.items() if len(text) > 1)
    pairs = {a + b: (a, b) for a, b in _merges(bpe)}
    for row, (_, text) in zip(merges, learnt, strict=False):
        first, second = pairs[text]
        row[:] = ids[first], ids[second]
        ids[text] = len(ids)
    return merges


def _merges(bpe: tokenizers.Tokenizer) -> list[tuple[str, str]]:
    return [(first, second) for first, second in json.loads(bpe.to_str())["model"]["merges"]]


def _text(symbols_S: Sequence[int] | np.ndarray) -> str:
    return "".join(chr(FIRST + int(i)) for i in symbols_S)


class FASTCodec:
    """Symbols to tokens and back.

    Args:
        merges_M2: from ``learn_merges``; a merge's id is ``SYMBOLS`` plus its row.
    """

    def __init__(self, merges_M2: np.ndarray) -> None:
        self._symbols = [chr(FIRST + i) for i in range(SYMBOLS)]
        pairs: list[tuple[str, str]] = []
        for first, second in merges_M2:
            if first < 0:
                break
            pairs.append((self._symbols[first], self._symbols[second]))
            self._symbols.append("".join(pairs[-1]))
        vocabulary = {text: i for i, text in enumerate(self._symbols)}
        self._bpe = tokenizers.Tokenizer(models.BPE(vocabulary, pairs))

    def encode(self, symbols_S: np.ndarray) -> list[int]:
        """Tokens of one chunk's symbols."""
        return self._bpe.encode(_text(symbols_S)).ids

    def decode(self, ids: Sequence[int]) -> np.ndarray | None:
        """Symbols of tokens; None where there is no such token."""
        if any(not 0 <= i < len(self._symbols) for i in ids):
            return None
        text = "".join(self._symbols[i] for i in ids)
        return np.array([ord(letter) - FIRST for letter in text], np.int64)


@functools.lru_cache(maxsize=4)
def codec(merges: bytes) -> FASTCodec:
    """The codec of an int64 array's bytes."""
    return FASTCodec(np.frombuffer(merges, np.int64).reshape(-1, 2))
