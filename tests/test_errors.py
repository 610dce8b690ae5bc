"""Errors cross processes as they were raised."""

import pickle

import pytest

from uamsim import errors
from uamsim.errors import DatasetError, StorageError, UamsimError, UnknownNameError

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, UamsimError)
]


class UnsendableError(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def sent(error: UamsimError) -> UamsimError:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_keeps_its_type_text_and_causes(cls):
    error = cls("split", "blu", ["blue"]) if cls is UnknownNameError else cls("the reason")
    error.__cause__ = DatasetError("the cause")
    error.__cause__.__cause__ = OSError(28, "No space left on device")
    arrived = sent(error)
    assert type(arrived) is cls
    assert str(arrived) == str(error)
    assert type(arrived.__cause__) is DatasetError
    assert str(arrived.__cause__) == "the cause"
    assert isinstance(arrived.__cause__.__cause__, OSError)
    assert arrived.__cause__.__cause__.errno == 28


def test_a_cause_that_cannot_be_sent_arrives_as_text():
    error = StorageError("the reason")
    error.__cause__ = UnsendableError("one", "two")
    assert str(sent(error).__cause__) == "UnsendableError: one two"
    assert sent(StorageError("no cause")).__cause__ is None
