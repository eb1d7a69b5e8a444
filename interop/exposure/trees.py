"""Makes a world of file trees as the search of 2020 found it, scaled 1:1000.

45,000 DICOM files under 2,140 roots in 67 countries, 12 of them large, about 200 elements a
header. Names are planted in every text of every header and in names of files and folders.
A few hundred files are written; the rest are hard links to them.
"""
import os
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

FILES, ROOTS, COUNTRIES, LARGE = 45_000, 2_140, 67, 12
LARGE_FILES = 1_300  # more than a million, scaled
PLANTED = ["PLANTED^JANE", "PLANTED-MRN-4711", "19601231", "Planted Clinic"]
EVEN_PADDING = {"UI": b"\0"}
LONG_FORM = {"OB", "OW", "SQ", "UN", "UT"}
IDENTIFYING = [(0x0008, 0x0020, "DA"), (0x0008, 0x0050, "SH"), (0x0008, 0x0080, "LO"), (0x0008, 0x0090, "PN"),
               (0x0010, 0x0010, "PN"), (0x0010, 0x0020, "LO"), (0x0010, 0x0030, "DA"), (0x0010, 0x1040, "LO")]
# Names that say nothing to the audit, and names that do.
FOLDERS = ["{}", "study of {}", "{} CT"]


def element(group, number, vr, value):
    value = value if isinstance(value, bytes) else value.encode()
    value += EVEN_PADDING.get(vr, b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", group, number, vr.encode())
    length = struct.pack("<HI", 0, len(value)) if vr in LONG_FORM else struct.pack("<H", len(value))
    return head + length + value


def instance(elements, name, uid, removed=False):
    """A CT instance with so many elements before its (short) Pixel Data, explicit little endian."""
    parts = [element(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2"), element(8, 0x18, "UI", uid)]
    parts += [element(group, number, vr, name) for group, number, vr in IDENTIFYING if group == 8]
    parts += [element(group, number, vr, name) for group, number, vr in IDENTIFYING if group == 0x10]
    parts += [element(0x12, 0x62, "CS", "YES")] if removed else []
    item = element(8, 0x100, "SH", name[:16]) + element(8, 0x104, "LO", name)
    tail = [element(0x40, 0x260, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)]
    rest = elements - len(parts) - 3  # the sequence and its two elements
    parts += [element(0x21, 0x10, "LO", "JUDGE")]
    parts += [element(0x21, 0x1000 + at, "LO", f"{name} {at}") for at in range(rest - 1)]
    pixels = element(0x7FE0, 0x10, "OW", bytes(32))
    return bytes(128) + b"DICM" + element(2, 0x10, "UI", "1.2.840.10008.1.2.1") + b"".join(parts + tail) + pixels


@dataclass
class Root:
    path: Path
    country: str
    files: int = 0
    readable: int = 0
    elements: list = field(default_factory=list)


@dataclass
class World:
    directory: Path
    roots: list

    def by_country(self):
        counts = Counter()
        for root in self.roots:
            counts[root.country] += root.files
        return counts


def country(number):
    return f"{chr(65 + number // 26)}{chr(65 + number % 26)}"


def sizes():
    """How many files each root has: a dozen large ones, the others alike, all of them exactly FILES."""
    small = ROOTS - LARGE
    left = FILES - LARGE * LARGE_FILES
    return [LARGE_FILES] * LARGE + [left // small + (at < left % small) for at in range(small)]


def make(directory):
    """The world, under a directory."""
    directory = Path(directory)
    templates = directory / "templates"
    templates.mkdir(parents=True)
    made = []
    for at in range(101):
        elements, mode = 150 + at, 0o644 if at % 3 == 0 else 0o600
        path = templates / f"{at}.dcm"
        path.write_bytes(instance(elements, PLANTED[at % 4], f"2.25.{at + 1}"))
        path.chmod(mode)
        made.append((path, elements, mode))
    world, number = World(directory, []), 0
    for at, files in enumerate(sizes()):
        root = Root(directory / "world" / f"{at:04}", country(at % COUNTRIES))
        folders = [root.path / FOLDERS[at % len(FOLDERS)].format(PLANTED[at % 4]), root.path / "b"]
        for folder in folders:
            folder.mkdir(parents=True)
            folder.chmod(0o755)
        root.path.chmod(0o755)
        for within in range(files):
            path, elements, mode = made[(number * 37 + at) % len(made)]
            suffix = ".dcm" if number % 2 else ""
            os.link(path, folders[within % 2] / f"{PLANTED[number % 4]} {within}{suffix}")
            root.elements.append(elements)
            root.readable += mode == 0o644
            number += 1
        root.files = files
        world.roots.append(root)
    return world
