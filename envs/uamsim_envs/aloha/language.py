"""How the tasks of the bench are asked for."""

from pathlib import Path

from uamsim.perturbations.language.language import Language
from uamsim.perturbations.language.sentences import read_sentences

LANGUAGE = Language(read_sentences(Path(__file__).with_name("sentences.txt")))
