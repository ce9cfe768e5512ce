"""Model packs: a folder ``models/<name>`` with model.toml, ONNX files and card.md (docs/models/README.md).

Reading is strict: a missing, unknown or impossible field refuses the pack, naming pack, file and field. The ONNX
files are not opened here; :mod:`surgiplan_desktop.segmentation.pack_check` does that.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.segmentation.blending import Blending
from surgiplan_desktop.segmentation.pack_resampling import Resampling, read_resampling
from surgiplan_desktop.segmentation.pack_table import Table
from surgiplan_desktop.segmentation.tile_grid import Index3, Spread

#: Schema of model.toml that this program reads.
PACK_SCHEMA: Final = 1
MANIFEST: Final = "model.toml"
#: Shortest voxel edge that a network may want, mm.
_LEAST_MM: Final = 0.05
#: Codes of bones whose side is in the label, of those whose side comes from the geometry, and from where the user's own begin.
RIGHT_CODES: Final = range(1, 8)
LEFT_CODES: Final = range(101, 107)
OWN_CODES: Final = range(200, 1 << 16)


@dataclass(frozen=True, slots=True)
class PackLabel:
    """A class of the networks: its name and its code in a label map. Its channel is its place in the list, from 1."""

    name: str
    code: int


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Hounsfield values to what a network sees.

    ``fixed``: clip, subtract, divide. ``image``: clip, then subtract the mean of the image and divide by its standard deviation.
    ``nonzero``: the same of the part that is not 0, holes in it filled; the rest stays. ``range``: lowest value 0, highest 1.
    ``outside`` is the value, after all this, of voxels outside the image.
    """

    kind: Literal["fixed", "image", "nonzero", "range"]
    clip: tuple[float, float] | None
    subtract: float
    divide: float
    outside: float


@dataclass(frozen=True, slots=True)
class Member:
    """One ONNX file of a network and its SHA-256; ``half_sha256`` is that of its float16 form for cards, empty for none."""

    file: str
    sha256: str
    half_sha256: str = ""


@dataclass(frozen=True, slots=True)
class PackNetwork:
    """A network of a pack.

    ``spacing_mm`` is the voxel edge and ``tile`` the size in voxels along (k, j, i); ``axes`` is what these grow towards, such as
    ``SPL`` (superior, posterior, left). ``tiles`` is how tiles of the least ``overlap`` are laid. ``guide`` names an earlier
    network whose labels come as further input channels, one for each label; empty for none. ``resampling`` is None for the
    program's own way to the network's grid and back; with nnU-Net's a ``spacing_mm`` of 0 along k leaves the slices as they are.
    """

    name: str
    spacing_mm: tuple[float, float, float]
    axes: str
    tile: Index3
    overlap: float
    tiles: Spread
    guide: str
    normalisation: Normalisation
    members: tuple[Member, ...]
    resampling: Resampling | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperature that the logits are divided by, how it was found and on which data."""

    temperature: float
    method: str
    data: str


@dataclass(frozen=True, slots=True)
class ModelPack:
    """A model pack as its manifest says; ``digest`` is the SHA-256 of the manifest, which holds those of the networks."""

    folder: Path
    digest: str
    name: str
    version: str
    licence: str
    intended_use: str
    population: str
    training_data: str
    limits: str
    modality: str
    sides: Literal["geometry", "labels"]
    card: str
    labels: tuple[PackLabel, ...]
    networks: tuple[PackNetwork, ...]
    blending: Blending
    calibration: Calibration

    @property
    def classes(self) -> int:
        """Channels out of each network: the labels and the background, which is channel 0."""
        return len(self.labels) + 1

    def channels(self, network: PackNetwork) -> int:
        """Channels into a network."""
        return 1 + (len(self.labels) if network.guide else 0)

    def tile_shape(self, network: PackNetwork) -> tuple[int, ...]:
        """Shape (1, c, k, j, i) that a network gets."""
        return (1, self.channels(network), *network.tile)

    def path(self, member: Member) -> Path:
        """Where an ONNX file lies."""
        return self.folder / member.file


def find_packs(roots: Sequence[Path]) -> tuple[tuple[ModelPack, ...], tuple[InputDataError, ...]]:
    """Read the packs ``models/<name>`` below the roots (:func:`surgiplan_desktop.base.paths.catalogue_roots`).

    Returns those that can be read, the first of a name wins, and why others cannot: a broken pack must not stop the program.
    """
    packs: dict[str, ModelPack] = {}
    problems = []
    for root in roots:
        for manifest in sorted((root / "models").glob(f"*/{MANIFEST}")):
            try:
                pack = read_pack(manifest.parent)
            except InputDataError as error:
                problems.append(error)
                continue
            packs.setdefault(pack.name, pack)
    return tuple(packs.values()), tuple(problems)


def pack_named(roots: Sequence[Path], name: str) -> ModelPack:
    """Return a pack; UsageError ``model_unknown`` with the list, or the InputDataError of the broken pack of that name."""
    packs, problems = find_packs(roots)
    for pack in packs:
        if pack.name == name:
            return pack
    for problem in problems:
        if problem.parameters["pack"] == name:
            raise problem
    raise UsageError("model_unknown", model=name, known=", ".join(sorted(pack.name for pack in packs)) or "-")


def read_pack(folder: Path) -> ModelPack:
    """Read the manifest of a pack.

    Raises
    ------
    InputDataError
        ``pack_unreadable``, ``pack_schema``, ``pack_field_missing``, ``pack_field_unknown``, ``pack_field_wrong``, ``pack_code``:
        each names the pack, the manifest and the field.
    """
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
        entries = tomllib.loads(raw.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputDataError("pack_unreadable", file=path, pack=folder.name, problem=str(error)) from error
    schema = entries.pop("schema", None)
    if schema != PACK_SCHEMA:
        raise InputDataError("pack_schema", file=path, pack=folder.name, schema=str(schema), known=PACK_SCHEMA)
    table = Table(entries, folder.name, path)
    sides: Literal["geometry", "labels"] = "geometry" if table.choice("sides", ("geometry", "labels")) == "geometry" else "labels"
    calibration = _calibration(table.table("calibration"))
    pack = ModelPack(
        folder=folder,
        digest=hashlib.sha256(raw).hexdigest(),
        name=table.name("name"),
        version=table.text("version"),
        licence=table.text("licence"),
        intended_use=table.text("intended_use"),
        population=table.text("population"),
        training_data=table.text("training_data"),
        limits=table.text("limits"),
        modality=table.choice("modality", ("CT", "MR", "any")),
        sides=sides,
        card=table.file_name("card"),
        labels=_labels(table, sides),
        networks=_networks(table),
        blending=_blending(table.table("blending"), calibration.temperature),
        calibration=calibration,
    )
    table.finish()
    return pack


def _labels(table: Table, sides: str) -> tuple[PackLabel, ...]:
    labels = []
    for entry in table.tables("label"):
        label = PackLabel(entry.name("name"), entry.whole("code", 1, OWN_CODES.stop - 1))
        known = label.code in RIGHT_CODES or label.code in OWN_CODES or (sides == "labels" and label.code in LEFT_CODES)
        if not known:
            raise InputDataError("pack_code", file=table.path, pack=table.pack, label=label.name, code=label.code)
        entry.finish()
        labels.append(label)
    for what, values in (("name", [label.name for label in labels]), ("code", [label.code for label in labels])):
        if len(set(values)) != len(values):
            raise table.wrong(f"label.{what}", values, "no value twice")
    if len(labels) > 255:
        raise table.wrong("label", len(labels), "at most 255 labels")
    return tuple(labels)


def _networks(table: Table) -> tuple[PackNetwork, ...]:
    networks: list[PackNetwork] = []
    for entry in table.tables("network"):
        axes = entry.text("axes")
        if sorted(_PAIRS.get(letter, "") for letter in axes) != ["AP", "IS", "LR"]:
            raise entry.wrong("axes", axes, "three of S/I, A/P, L/R for k, j, i, such as SPL")
        guide = entry.text("guide", "")
        before = [network.name for network in networks]
        if guide and guide not in before:
            raise entry.wrong("guide", guide, f"a network before this one: {', '.join(before) or 'there is none'}")
        name = entry.name("name")
        if name in before:
            raise entry.wrong("name", name, "no name twice")
        members = tuple(_member(item) for item in entry.tables("member"))
        k, j, i = (int(size) for size in entry.numbers("tile", 3, 1, 1024))
        resampling = read_resampling(entry)
        z, y, x = entry.numbers("spacing_mm", 3, 0.0, 50.0)
        if min(y, x) < _LEAST_MM or (z < _LEAST_MM and (z > 0.0 or resampling is None or k != 1)):
            raise entry.wrong("spacing_mm", f"{z:g}, {y:g}, {x:g}", f"{_LEAST_MM:g} mm or more; 0 for k of a 2D nnU-Net alone")
        overlap = entry.number("overlap", 0.0, 0.9)
        tiles: Spread = "steps" if entry.has("tiles") and entry.choice("tiles", ("even", "steps")) == "steps" else "even"
        part = PackNetwork(name, (z, y, x), axes, (k, j, i), overlap, tiles, guide, _normalisation(entry), members, resampling)
        networks.append(part)
        entry.finish()
    return tuple(networks)


#: Pairs of opposite directions by their letters.
_PAIRS: Final = {letter: pair for pair in ("IS", "AP", "LR") for letter in pair}


def _member(table: Table) -> Member:
    member = Member(table.file_name("file"), table.text("sha256").lower(), table.text("half_sha256", "").lower())
    for field, value in (("sha256", member.sha256), ("half_sha256", member.half_sha256 or "0" * 64)):
        if len(value) != 64 or set(value) - set("0123456789abcdef"):
            raise table.wrong(field, value, "64 hexadecimal digits")
    table.finish()
    return member


def _normalisation(network: Table) -> Normalisation:
    table = network.table("normalisation")
    kinds: tuple[Literal["fixed", "image", "nonzero", "range"], ...] = ("fixed", "image", "nonzero", "range")
    word = table.choice("kind", kinds)
    kind = next(item for item in kinds if item == word)
    fixed = kind == "fixed"
    clip = None
    if table.has("clip"):
        low, high = table.numbers("clip", 2, -1e6, 1e6)
        if not low < high:
            raise table.wrong("clip", f"{low:g}, {high:g}", "the lower value first")
        clip = (low, high)
    subtract = table.number("subtract", -1e6, 1e6) if fixed else 0.0
    divide = table.number("divide", 1e-6, 1e6) if fixed else 1.0
    outside = table.number("outside", -1e6, 1e6)
    table.finish()
    return Normalisation(kind, clip, subtract, divide, outside)


def _blending(table: Table, temperature: float) -> Blending:
    logits = table.choice("what", ("logits", "probabilities")) == "logits"
    mirrors = table.axes_lists("mirrors")
    more = table.axes_lists("uncertainty_mirrors") if table.has("uncertainty_mirrors") else ()
    table.finish()
    further = tuple(axes for axes in more if axes not in mirrors)
    return Blending("logits" if logits else "probabilities", temperature, mirrors=mirrors, further_mirrors=further)


def _calibration(table: Table) -> Calibration:
    calibration = Calibration(table.number("temperature", 0.05, 20.0), table.text("method"), table.text("data"))
    table.finish()
    return calibration
