"""Every setting: default, range and help text, written once. YAML and CLI derive from it.

Units stand in the names. A config file names only what it changes; unknown keys are errors
that name the nearest valid one.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import ConfigError


class Settings(BaseModel):
    """Base of all settings: immutable, and no key goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class FrameSettings(Settings):
    """How pixels are read and sampled."""

    sample_fps: float = Field(1.0, gt=0, le=30)
    """Frames sampled a second of video."""
    max_frames: int = Field(64, ge=1, le=512)
    """Frames kept of one segment at most, spread evenly."""
    max_side_px: int = Field(1024, ge=64, le=4096)
    """Sampled frames and images are scaled down so that the longer side fits."""
    max_pixels: int = Field(100_000_000, ge=1)
    """A picture or frame with more pixels is rejected before it is decoded."""
    max_duration_s: float = Field(4 * 3600.0, gt=0)
    """A longer video is rejected."""
    max_decode_s: float = Field(600.0, gt=0)
    """Decoding of one file stops with a reject after this long."""
    thumbnail_px: int = Field(160, ge=32, le=512)
    """Longer side of the pictures in the report."""


class QualitySettings(Settings):
    """Coarse quality of a file (PAPER 3.2, step 1)."""

    min_width_px: int = Field(160, ge=1)
    """Narrower pictures and videos are rejected."""
    min_height_px: int = Field(160, ge=1)
    """Lower pictures and videos are rejected."""
    max_aspect_ratio: float = Field(4.0, ge=1)
    """Longer side over shorter side, at most."""


class SceneSettings(Settings):
    """Structure of a video (PAPER 3.2, step 2)."""

    cut_threshold: float = Field(27.0, gt=0)
    """PySceneDetect ContentDetector threshold: mean HSV change between frames, 0..255."""
    min_scene_s: float = Field(0.8, ge=0)
    """Shorter segments are rejected as `too_short`."""
    min_motion: float = Field(0.15, ge=0)
    """Mean absolute luma change between sampled frames, 0..255; below it a segment is `static`."""
    min_luma: float = Field(6.0, ge=0, le=255)
    """99th percentile of luma, 0..255; a segment that stays below it is `black`."""


class LabelSettings(Settings):
    """Categories (PAPER 3.2, step 3)."""

    taxonomy: str = "taxonomy.yaml"
    """A file of configs/, or a path."""
    min_confidence: float = Field(0.15, ge=0, le=1)
    """Assets whose category is less sure are rejected as `low_confidence`."""


class AlignSettings(Settings):
    """Does the description match the pixels, says a second model (PAPER 3.2, step 4)."""

    min_alignment: float = Field(0.3, ge=-1, le=1)
    """Lower calibrated cosines are rejected as `misaligned`."""


class DuplicateSettings(Settings):
    """Copies in the pool, and of a benchmark's media. Same bytes are always copies; of all others a look
    or a perceptual hash proposes pairs, and comparing their aligned pixels decides. Docs: docs/seed-pool.md."""

    candidates: int = Field(8, ge=1, le=1000)
    """Nearest frames of each frame that are looked at, by look and by hash."""
    min_cosine: float = Field(0.25, ge=-1, le=1)
    """Looks less similar than this are no candidates; with a `looker` of your own, on its scale."""
    max_hamming_bits: int = Field(8, ge=0, le=32)
    """Perceptual hashes (64 bits) that differ in no more bits are candidates."""
    exact_up_to: int = Field(200_000, ge=1)
    """Up to so many frames every pair of looks is measured; above it an inverted index finds most."""
    min_agreement: float = Field(0.7, gt=0, le=1)
    """Share of the aligned blocks that must be the same in both pictures."""
    min_overlap: float = Field(0.6, gt=0, le=1)
    """Share of one picture, the one that is covered more, that must have a counterpart in the other."""
    min_span_overlap: float = Field(0.4, gt=0, le=1)
    """Share of the shorter of two segments, in time, that must have a counterpart in the other."""
    max_frames: int = Field(8, ge=1, le=64)
    """Pairs of frames compared of two segments at most."""
    min_frames: float = Field(0.5, gt=0, le=1)
    """Share of the compared frames of two segments that must agree."""


class RebalanceSettings(Settings):
    """Category-wise rebalancing (PAPER 3.2, step 5)."""

    enabled: bool = False
    """Off keeps everything."""
    max_per_category: int = Field(1000, ge=1)
    """Assets kept of one category and medium, chosen by asset id and seed."""


class SeedPoolSettings(Settings):
    quality: QualitySettings = QualitySettings()
    scenes: SceneSettings = SceneSettings()
    label: LabelSettings = LabelSettings()
    align: AlignSettings = AlignSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    rebalance: RebalanceSettings = RebalanceSettings()


class FactSettings(Settings):
    """What the builtin annotator may claim. Chosen on other media than the sample (docs/builtin-models.md)."""

    min_label_probability: float = Field(0.78, ge=0, le=1)
    """A class is claimed only when the classifier is at least this sure."""
    min_colour_share: float = Field(0.45, ge=0, le=1)
    """A colour is called dominant only when it covers this share of the pixels."""
    min_text_confidence: float = Field(0.9, ge=0, le=1)
    """Text is quoted only when OCR is at least this sure of every word in it."""
    min_half_difference: float = Field(25.0, ge=0, le=255)
    """Mean luma by which two halves of a picture must differ before one is called brighter."""


class SynthSettings(Settings):
    languages: tuple[str, ...] = ("en",)
    """Languages to write in, ISO 639-1; one sub-dataset each. The builtin annotator writes English only."""
    min_gap_s: float = Field(0.5, gt=0)
    """Seconds between a moment and its irrelevant segment, at least."""
    max_description_words: int = Field(500, ge=1)
    """Longer descriptions are rejected (PAPER, appendix B)."""
    facts: FactSettings = FactSettings()


class GuardSettings(Settings):
    """Protection against false negatives; each guard is on by default and counted."""

    same_source: bool = True
    """Nothing cut from a positive's file is a negative (moments: unless a gap lies between)."""
    same_query: bool = True
    """A positive of a query with the same content is no negative."""
    near_duplicate: bool = True
    """Nothing in a positive's near-duplicate group is a negative."""
    near_duplicate_cosine: float = Field(0.95, ge=-1, le=1)
    """Documents whose uncalibrated cosine reaches this share a near-duplicate group."""
    max_hamming_bits: int = Field(8, ge=0, le=32)
    """Media whose perceptual hashes differ in no more bits share a near-duplicate group."""


class MineSettings(Settings):
    t_pos: float = Field(0.6, ge=-1, le=1)
    """t+: a positive must score above this (PAPER 3.3)."""
    margin: float = Field(0.1, ge=-1, le=1)
    """delta, signed: a negative must score below mean positive + delta (PAPER 3.3)."""
    top_k: int = Field(100, ge=1, le=10_000)
    """Documents recalled a query."""
    negatives: int = Field(15, ge=0, le=1000)
    """Hard negatives kept a query at most, hardest first."""
    query_block: int = Field(4096, ge=1)
    """Queries searched at once."""
    guards: GuardSettings = GuardSettings()


class Calibration(Settings):
    """A monotone map from a model's cosine to the scores on disk: piecewise linear through
    (cosine, score) knots, so that one t+ means the same for every model. Docs: docs/calibration.md."""

    cosine: tuple[float, ...] = (-1.0, 1.0)
    """Knots on the model's own scale, rising, from -1 to 1."""
    score: tuple[float, ...] = (-1.0, 1.0)
    """Their scores, rising, from -1 to 1."""

    @model_validator(mode="after")
    def _rises(self) -> Calibration:
        """A map that is not monotone would change rankings."""
        for name, knots in (("cosine", self.cosine), ("score", self.score)):
            if len(knots) < 2 or knots[0] != -1.0 or knots[-1] != 1.0 or list(knots) != sorted(set(knots)):
                raise ValueError(f"{name} must rise from -1 to 1, with no knot twice")
        if len(self.cosine) != len(self.score):
            raise ValueError(
                f"{len(self.cosine)} knots of cosine and {len(self.score)} of score; give one score a knot"
            )
        return self


# Knots of the builtin embedders: the median and the 90th percentile of right caption-picture pairs of
# 785 pictures that are not of the sample go to 0.6 and 0.85 (docs/calibration.md).
CALIBRATIONS = {
    ("builtin", "lite2"): Calibration(cosine=(-1.0, 0.0, 0.294, 0.664, 1.0), score=(-1.0, 0.0, 0.6, 0.85, 1.0)),
    ("builtin", "lite0"): Calibration(cosine=(-1.0, 0.0, 0.278, 0.687, 1.0), score=(-1.0, 0.0, 0.6, 0.85, 1.0)),
}


class ModelSettings(Settings):
    adapter: Literal["builtin", "open_clip", "sentence_transformers", "fake"] = "builtin"
    """Who runs the model."""
    model: str = "lite2"
    """Which model the adapter loads: a name it knows or a local folder."""
    batch_size: int = Field(32, ge=1)
    """Items a call."""
    threads: int = Field(1, ge=1)
    """CPU threads a loaded copy of the model uses."""
    calibration: Calibration | None = None
    """From its cosines to scores; none means the one known of a builtin model, else the cosine itself."""

    @property
    def score_map(self) -> Calibration:
        """The calibration in force."""
        return self.calibration or CALIBRATIONS.get((self.adapter, self.model), Calibration())


class RunnerSettings(Settings):
    kind: Literal["ray", "local"] = "ray"
    """`local` is a plain loop over the same stages, for debugging."""
    address: str | None = None
    """Address of a running Ray cluster; none starts Ray on this machine."""
    workers: int = Field(2, ge=1)
    """Copies of each model, and parallel tasks a stage."""


class Config(Settings):
    """Everything a run depends on."""

    seed: int = 0
    """Seed of every random choice."""
    frames: FrameSettings = FrameSettings()
    seed_pool: SeedPoolSettings = SeedPoolSettings()
    synth: SynthSettings = SynthSettings()
    mine: MineSettings = MineSettings()
    vlm: ModelSettings = ModelSettings()
    """The annotator: labels assets and fills the tasks."""
    aligner: ModelSettings = ModelSettings(model="lite0")
    """Checks descriptions against pixels; another model than the annotator."""
    looker: ModelSettings | None = None
    """Embeds frames to propose near duplicates; none means `media/looks.py`, which needs no model."""
    embedder: ModelSettings = ModelSettings()
    """Embeds queries and documents for mining."""
    runner: RunnerSettings = RunnerSettings()


def _nearest(key: str, location: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """The valid dotted key that `key` at `location` most likely meant."""
    for part in location[:-1]:
        inner = model.model_fields[str(part)].annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
    close = difflib.get_close_matches(key, list(model.model_fields), n=1, cutoff=0.0)
    return ".".join([*map(str, location[:-1]), close[0]])


def parse_config(data: dict[str, Any], origin: str) -> Config:
    """Validate `data`. Raises ConfigError naming `origin`, the key, its value and the fix."""
    try:
        return Config.model_validate(_over(Config().model_dump(), data))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            nearest = _nearest(str(first["loc"][-1]), first["loc"], Config)
            raise ConfigError(f"unknown setting {key!r} in {origin}; did you mean {nearest!r}?") from error
        raise ConfigError(f"{key} is {first['input']!r} in {origin}: {first['msg']}") from error


def _over(defaults: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """`defaults` with what `data` says in their place, group by group."""
    merged = dict(defaults)
    for key, value in data.items():
        inner = defaults.get(key)
        merged[key] = _over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _set(data: dict[str, Any], assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {assignment!r} is not of the form key=value, e.g. mine.top_k=50")
    *parents, last = key.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {key}: {parent!r} is a value, not a group of settings")
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {key}: {value!r} is not a YAML value") from error


def load_config(path: Path | None, assignments: list[str] | None = None) -> Config:
    """Read a YAML file (none: the defaults) and apply `key=value` assignments over it."""
    data: dict[str, Any] = {}
    origin = "--set" if assignments else "the defaults"
    if path is not None:
        origin = str(path)
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read config {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigError(f"{path} holds a {type(loaded).__name__}, not settings such as 'mine: {{top_k: 50}}'")
        data = loaded or {}
    for assignment in assignments or []:
        _set(data, assignment)
    return parse_config(data, origin)
