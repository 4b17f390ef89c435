#!/usr/bin/env python3
"""Makes the datasets in this directory, as people make them by h5py (pip install h5py)."""

import pathlib
import re
from hashlib import sha256

import h5py
import numpy as np

here = pathlib.Path(__file__).parent


def make(name, values, spellings, level="word", unknown=None, offsets="int64"):
    """A dataset of three streams that says nothing of itself."""
    with h5py.File(here / name, "w") as file:
        file["values"] = values
        file["offsets"] = np.array([0, 3, 4, len(values)], offsets)
        file["splits/train"] = np.array([0, 5], "int32")
        file["splits/validation"] = np.array([5, len(values)], "uint64")
        file["vocabulary"] = spellings
        file["vocabulary"].attrs["level"] = level
        if unknown is not None:
            file["vocabulary"].attrs["unknown"] = unknown


def fingerprint(file):
    """What the attribute fingerprint_description says."""
    values, vocabulary = file["values"], file["vocabulary"]
    kind = "uint8" if values.dtype == bool else values.dtype.newbyteorder("=").name
    little = values.dtype.newbyteorder("<")
    hash = sha256(values[:].astype(little).tobytes())
    hash.update(f"\nvalues {len(values)} {kind}\noffsets {len(file['offsets'])}\n".encode())
    hash.update(file["offsets"][:].astype("<i8").tobytes())
    splits = [(int(ends[0]), int(ends[1]), name) for name, ends in file["splits"].items()]
    for first, end, name in sorted(splits):
        hash.update(f"\nsplit {name} {first} {end}".encode())
    level, unknown = vocabulary.attrs["level"], vocabulary.attrs.get("unknown", -1)
    level = level if isinstance(level, str) else level[0].decode()
    hash.update(f"\nvocabulary {level} {unknown} {len(vocabulary)}\n".encode())
    for spelling in vocabulary.asstr("utf-8")[:]:
        spelling = spelling or "\0"
        hash.update(f"{len(spelling.encode())} {spelling}\n".encode())
    return hash.hexdigest()


def seal(name):
    """With attributes of other types than seqtrain writes."""
    with h5py.File(here / name, "r+") as file:
        file.attrs["kind"] = np.array(["dataset"], h5py.string_dtype())
        file.attrs["format_version"] = np.array([1], "uint8")
        file.attrs["fingerprint"] = np.bytes_(fingerprint(file))


words = ["<unk>", "größer", "kleiner", "gleich"]
make("bool.h5", np.array([0, 1, 1, 0, 1, 0, 1, 1], bool), ["no", "yes"], offsets="uint64")
make("int8.h5", np.array([0, 1, 2, 3, 1, 0, 2, 3], "int8"), words, unknown=0, offsets="int32")
make("int16.h5", np.array([0, 1, 2, 3, 1, 0, 2, 3], ">i2"), words, unknown=np.uint8(0))
make("uint32.h5", np.array([0, 1, 2, 3, 1, 0, 2, 3], "uint32"), words)
make("int64.h5", np.array([0, 1, 2, 3, 1, 0, 2, 3]), np.array([word.encode() for word in words]), np.array([b"word"]))
make("uint64.h5", np.array([0, 1, 2, 3, 1, 0, 2, 3], "uint64"), ["", "a", "b", "ä"], "char")
for name in ["bool.h5", "int8.h5", "int16.h5", "uint32.h5", "int64.h5", "uint64.h5"]:
    seal(name)

# The example of the README, not sealed.
readme = (here / "../../../README.md").read_text()
example = next(code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if '"mine.h5"' in code)
exec(example.replace('"mine.h5"', repr(str(here / "readme.h5"))))

# Values that are no tokens.
make("frames.h5", np.zeros((8, 2), "float32"), words)
