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


def string(text):
    return f"{len(text.encode())} {text}\n".encode()


def track_fingerprint(file):
    """What the attribute fingerprint_description says of datasets of tracks."""
    hash = sha256(f"horizon {file.attrs['horizon']}".encode())
    for role in ["input", "target", "weight", "initial"]:
        if role not in file:
            continue
        track = file[role]
        values = track["values"][:]
        hash.update(f"\ntrack {role} {values.size}".encode())
        if "vocabulary" in track:
            spellings = track["vocabulary"].asstr()[:]
            level, unknown = track["vocabulary"].attrs["level"], track["vocabulary"].attrs.get("unknown", -1)
            hash.update(f"\nvocabulary {level} {unknown} {len(spellings)}\n".encode())
            for spelling in spellings:
                hash.update(string(spelling))
            hash.update(values.astype("<i4").tobytes())
        else:
            names, units = track["names"].asstr()[:], track["units"].asstr()[:]
            hash.update(f"\nframes {len(names)} {int(track.attrs.get('binary', 0))}\n".encode())
            for name, unit in zip(names, units):
                hash.update(string(name) + string(unit))
            hash.update(track["means"][:].astype("<f4").tobytes() + track["scales"][:].astype("<f4").tobytes())
            hash.update(values.astype("<f4").tobytes())
    hash.update(f"\nweights {len(file['weights'])}\n".encode())
    hash.update(file["weights"][:].astype("<f4").tobytes())
    hash.update(f"\noffsets {len(file['offsets'])}\n".encode())
    hash.update(file["offsets"][:].astype("<i8").tobytes())
    for first, end, name in sorted((int(ends[0]), int(ends[1]), name) for name, ends in file["splits"].items()):
        hash.update(f"\nsplit {name} {first} {end}".encode())
    return hash.hexdigest()


# Frames with labels, big-endian and compressed, and a class a stream.
with h5py.File(here / "tracks.h5", "w") as file:
    frames = np.arange(16).reshape(8, 2) / 4 - 1
    file.create_dataset("input/values", data=frames.astype(">f8"), chunks=(3, 2), compression="gzip")
    file["input/names"], file["input/units"] = ["Höhe", "t"], ["m", ""]
    file["input/means"], file["input/scales"] = np.array([0.5, 0]), np.array([2, 1], "float32")
    file["target/values"] = np.array([0, 1, 2, 0, 1, 2, 0, 1], ">u2")
    file["target/vocabulary"] = ["B-X", "I-X", "O"]
    file["target/vocabulary"].attrs["level"] = "label"
    file["initial/values"] = np.array([True, False, True])
    file["initial/vocabulary"] = ["no", "yes"]
    file["initial/vocabulary"].attrs["level"] = "label"
    file["weights"] = np.array([0, 0, 1, 1, 0, 0, 0, 0.25])
    file["offsets"] = np.array([0, 3, 4, 8])
    file["splits/train"], file["splits/validation"] = [0, 4], [4, 8]
    file["splits/train"].attrs["optimal_loss"] = 0.125
    file.attrs["horizon"] = 0
    file.attrs["kind"], file.attrs["format_version"] = "dataset", 2
    file.attrs["fingerprint"] = track_fingerprint(file)

# Arrays to be imported: three streams of 3, 1 and 4 positions.
with h5py.File(here / "arrays.h5", "w") as file:
    file["offsets"] = np.array([0, 3, 4, 8], ">u4")
    file.create_dataset("group/x", data=np.arange(16).reshape(8, 2) / 2, dtype=">f8", chunks=(3, 1), compression="gzip", shuffle=True)
    file.create_dataset("half", data=np.arange(8), dtype="float16", chunks=(3,), fletcher32=True)
    file["tokens"] = np.array([[4], [0], [1], [3], [1], [0], [2], [3]], ">i2")
    file["classes"] = np.array([1, 0, 1], "int8")
    file["keys"] = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0], [1, 0]], bool)
    file["weights"] = np.array([1, 0, 1, 1, 2, 1, 1, 0], "uint8")
    file["initial"] = np.array([[1, 2, 3], [3, 2, 1], [0, 0, 1]], "float32")
    file["parts"] = np.array(["train", "test", "validation"], h5py.string_dtype())
