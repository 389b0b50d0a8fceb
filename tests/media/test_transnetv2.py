"""The network, its weights, and videos that it cuts. Weights are made here: random ones, and ones that see colours."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError, ModelError
from pipeline.media import cuts
from pipeline.media.jpeg import decode_jpeg
from pipeline.media.scenes import Segment
from pipeline.media.shots import HEIGHT_PX, WIDTH_PX
from pipeline.media.transnetv2 import load_for
from pipeline.media.videos import open_video
from tests.media.films import FPS, Picture, film, noise_scene, still_scene, turned, written
from tests.media.scans import scan
from tests.media.shot_weights import State, colour_weights, random_weights, saved

FRAMES = FrameSettings(max_side_px=64)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> SceneSettings:
    return asking(saved(colour_weights(), tmp_path_factory.mktemp("weights") / "colours.pth"))


def asking(weights: Path, **more: object) -> SceneSettings:
    return SceneSettings.model_validate({"detector": "transnetv2", "weights": weights, **more})


# The network


def test_probabilities_are_those_of_the_published_network(tmp_path: Path) -> None:
    """Expected: transnetv2-pytorch 1.0.5 with the same random weights, every ninth of 100 frames."""
    rng = np.random.default_rng(1)
    scenes = np.repeat(rng.integers(0, 256, (10, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8), 10, axis=0)
    frames = np.clip(scenes.astype(int) + rng.integers(-20, 21, scenes.shape), 0, 255).astype(np.uint8)
    found = load_for(asking(saved(random_weights(0), tmp_path / "w.safetensors"))).probabilities(frames)
    assert found.shape == (100,)
    assert found[::9] == pytest.approx(
        [0.51953, 0.53365, 0.64036, 0.61515, 0.63479, 0.61699, 0.61815, 0.61619, 0.62132, 0.617, 0.66199, 0.49158],
        abs=1e-4,
    )


def test_the_last_frame_before_another_colour_is_the_likely_one(colours: SceneSettings) -> None:
    """By hand: cosine 0 with the next frame gives 1 / (1 + exp(-10)), cosine 1 its complement."""
    window = np.zeros((100, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    window[40:] = (200, 10, 10)
    found = load_for(colours).probabilities(window)[25:75]
    assert np.flatnonzero(found > 0.5).tolist() == [39 - 25]
    assert found[14] == pytest.approx(0.9999546, abs=1e-6)
    assert np.delete(found, 14) == pytest.approx(4.54e-5, abs=1e-6)


def test_a_probability_does_not_change_how_many_threads_others_may_use(colours: SceneSettings) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        load_for(colours).probabilities(np.zeros((2, HEIGHT_PX, WIDTH_PX, 3), np.uint8))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


# Its weights


def test_weights_are_named_by_what_is_in_them(tmp_path: Path) -> None:
    state = colour_weights()
    same = [saved(state, tmp_path / name) for name in ("a.pth", "b/a.pth", "a.safetensors")]
    assert len({load_for(asking(path)).fingerprint for path in same}) == 1
    state["fc1.bias"][7] = 0.5
    assert load_for(asking(saved(state, tmp_path / "c.pth"))).fingerprint != load_for(asking(same[0])).fingerprint


def test_weights_are_read_once_until_the_file_changes(tmp_path: Path) -> None:
    path = saved(colour_weights(), tmp_path / "w.pth")
    first = load_for(asking(path))
    assert load_for(asking(path, cut_probability=0.9)) is first
    saved({**colour_weights(), "fc1.bias": torch.ones(1024)}, path)
    assert load_for(asking(path)).fingerprint != first.fingerprint


def test_loading_leaves_random_numbers_alone(tmp_path: Path) -> None:
    path = saved(colour_weights(), tmp_path / "w.pth")
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    load_for(asking(path))
    assert torch.equal(torch.rand(3), expected)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def _changed(name: str, value: object) -> Callable[[], State]:
    return lambda: {**colour_weights(), name: value}  # type: ignore[dict-item]


def _without(name: str) -> Callable[[], State]:
    return lambda: {n: t for n, t in colour_weights().items() if n != name}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (_changed("fc1.weight", torch.zeros(1024, 10)), r"holds other weights than TransNet V2's: .*fc1\.weight"),
        (_without("cls_layer2.bias"), r"holds other weights than TransNet V2's: .*cls_layer2\.bias"),
        (_changed("head.weight", torch.zeros(3)), r"holds other weights than TransNet V2's: .*head\.weight"),
        (_changed("epoch", 3), "holds epoch beside tensors"),
        (lambda: {"state_dict": colour_weights()}, "holds state_dict beside tensors"),
        (_changed("fc1.bias", torch.full((1024,), float("nan"))), "not finite"),
        (lambda: [torch.zeros(3)], "cannot read the weights"),
    ],
    ids=["shape", "missing", "too many", "number", "nested", "nan", "list"],
)
def test_other_weights_are_an_error_that_names_file_and_tensor(
    tmp_path: Path, made: Callable[[], State], message: str
) -> None:
    path = saved(made(), tmp_path / "mine.pth")
    with pytest.raises(ModelError, match=message) as caught:
        load_for(asking(path))
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("data", [None, b"no weights", pickle.dumps({"fc1.weight": _Evil()}, protocol=2)])
def test_a_file_that_holds_no_weights_is_an_error_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, data: bytes | None
) -> None:
    path = tmp_path / f"w{suffix}"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelError, match="cannot read the weights"):
        load_for(asking(path))
    assert "executed" not in capsys.readouterr().out


# Videos


def segments_of(path: Path, settings: SceneSettings, frames: FrameSettings = FRAMES) -> tuple[Segment, ...]:
    return scan(path, frames, settings).segments


def starts(segments: tuple[Segment, ...]) -> list[float]:
    assert [s.start_s for s in segments[1:]] == [s.end_s for s in segments[:-1]]
    return [s.start_s for s in segments]


def cut_film(folder: Path) -> Path:
    return written(folder / "a.mp4", film([*noise_scene(1, 22), *noise_scene(2, 26)]))


def test_a_cut_is_found_to_the_frame_and_each_segment_has_its_own_frames(
    tmp_path: Path, colours: SceneSettings
) -> None:
    segments = segments_of(cut_film(tmp_path), colours)
    assert starts(segments) == pytest.approx([0.0, 22 / FPS])
    assert [s.reject for s in segments] == [None, None]
    looks = [noise_scene(seed, 1)[0].reshape(-1, 3).mean(axis=0) for seed in (1, 2)]
    for number, segment in enumerate(segments):
        assert len(segment.pixels.frames) >= 3
        for time_s, jpeg in zip(segment.pixels.times_s, segment.pixels.frames, strict=True):
            assert segment.start_s <= time_s < segment.end_s
            distances = [np.abs(decode_jpeg(jpeg).reshape(-1, 3).mean(axis=0) - look).sum() for look in looks]
            assert int(np.argmin(distances)) == number


def test_cuts_stand_at_presentation_stamps(tmp_path: Path, colours: SceneSettings) -> None:
    stamps = [*range(0, 44, 2), *range(44, 70)]
    path = written(tmp_path / "a.mkv", film([*noise_scene(1, 22), *noise_scene(2, 26)], "matroska", times=stamps))
    assert starts(segments_of(path, colours)) == pytest.approx([0.0, 44 / FPS], abs=1e-3)


def test_the_probability_that_cuts_is_a_setting(tmp_path: Path, colours: SceneSettings) -> None:
    strict = colours.model_copy(update={"cut_probability": 0.99999})
    assert starts(segments_of(cut_film(tmp_path), strict)) == [0.0]


def test_frames_too_large_to_wait_as_they_are_wait_reduced_and_give_the_same_pixels(
    tmp_path: Path, colours: SceneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = segments_of(cut_film(tmp_path), colours)
    reduced = []
    really = cuts.Frame.reduced

    def counting(frame: cuts.Frame, max_side_px: int) -> cuts.Frame:
        smaller = really(frame, max_side_px)
        reduced.append(smaller.held_bytes < frame.held_bytes)
        return smaller

    monkeypatch.setattr(cuts.Frame, "reduced", counting)
    monkeypatch.setattr(cuts, "_HELD_BYTES", 0)
    assert segments_of(cut_film(tmp_path), colours) == expected
    assert reduced == [True] * 48


def test_a_black_stretch_is_apart_and_rejected_as_by_the_other_detectors(
    tmp_path: Path, colours: SceneSettings
) -> None:
    dark: list[Picture] = still_scene((2, 2, 2), 25)
    path = written(tmp_path / "a.mp4", film([*dark, *noise_scene(1, 23)]))
    segments = segments_of(path, colours)
    assert starts(segments) == pytest.approx([0.0, 1.0])
    assert [s.reject and s.reject[0] for s in segments] == ["black", None]


def test_a_file_that_breaks_keeps_the_shots_before(tmp_path: Path, colours: SceneSettings) -> None:
    data = film([*noise_scene(1, 22), *noise_scene(2, 60)], "matroska")
    segments = segments_of(written(tmp_path / "a.mkv", data[: int(len(data) * 0.5)]), colours)
    assert starts(segments) == pytest.approx([0.0, 22 / FPS])
    assert segments[0].reject is None
    assert segments[1].reject is not None
    assert segments[1].reject[0] == "corrupt_video"


def test_a_turned_video_is_seen_upright(tmp_path: Path) -> None:
    """Left half red, right half blue: turned clockwise, red is above."""
    halves = np.zeros((108, 192, 3), np.uint8)
    halves[:, :96], halves[:, 96:] = (220, 20, 20), (20, 20, 220)
    path = written(tmp_path / "a.mp4", turned(film([halves] * 3)))
    with open_video(path, FRAMES) as video:
        seen = next(video.frames()).squeezed(WIDTH_PX, HEIGHT_PX)
    assert seen.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert seen[3, :, 0].min() > 150
    assert seen[-3, :, 2].min() > 150


def test_a_file_without_a_frame_raises_its_reason(tmp_path: Path, colours: SceneSettings) -> None:
    with pytest.raises(MediaError):
        segments_of(written(tmp_path / "a.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 400), colours)
