"""Tokens are counted as the model's own processor counts them, on 200 random sizes and lengths."""

import json
import random

import numpy as np
import pytest
import torch
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from pipeline.errors import ConfigError
from pipeline.models.visual_tokens import PixelLimits, image_tokens, pixel_limits, video_tokens

PUBLISHED = PixelLimits()
SMALL = PixelLimits(image=(65_536, 300_000), video=(40_000, 600_000))


def edges(limits):
    return {"shortest_edge": limits[0], "longest_edge": limits[1]}


def sizes(count, seed, longest):
    rng = random.Random(seed)
    for _ in range(count):
        width = rng.randint(33, longest)
        yield width, max(33, min(longest, round(width * 4 ** rng.uniform(-1, 1))))


@pytest.mark.parametrize("limits", [PUBLISHED, SMALL])
def test_pictures_of_any_size_cost_what_the_processor_makes_of_them(limits):
    processor = Qwen2VLImageProcessor(patch_size=16, merge_size=2, size=edges(limits.image))
    for width, height in sizes(100, 1, 1600):
        patches = processor.get_number_of_image_patches(height, width, {})
        assert image_tokens(width, height, limits) == patches // 4, (width, height)


def test_a_picture_really_processed_has_as_many_patches():
    processor = Qwen2VLImageProcessor(patch_size=16, merge_size=2, size=edges(SMALL.image))
    for width, height in sizes(20, 2, 900):
        grid = processor(np.zeros((height, width, 3), np.uint8), return_tensors="pt")["image_grid_thw"]
        assert image_tokens(width, height, SMALL) == int(grid[0].prod()) // 4, (width, height)


def test_videos_of_any_size_and_length_cost_what_the_processor_makes_of_them():
    processor = Qwen3VLVideoProcessor(size=edges(SMALL.video), do_sample_frames=False, cap_pixels_per_frame=False)
    rng = random.Random(3)
    for width, height in sizes(80, 4, 300):
        frames = rng.randint(2, 9)  # the processor takes no single frame; engines double it
        video = torch.zeros((frames, 3, height, width), dtype=torch.uint8)
        (grid,) = processor([video], return_tensors="pt")["video_grid_thw"]
        assert video_tokens(width, height, frames, SMALL) == int(grid.prod()) // 4, (width, height, frames)


def test_limits_come_from_the_models_folder_where_it_states_them(tmp_path):
    assert pixel_limits("Qwen/Qwen3-VL-32B-Instruct") == PUBLISHED
    assert pixel_limits(str(tmp_path)) == PUBLISHED
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": edges((1000, 2000))}))
    assert pixel_limits(str(tmp_path)) == PixelLimits(image=(1000, 2000))
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"preprocessor_config.json states no size"):
        pixel_limits(str(tmp_path))


def test_a_video_of_one_frame_costs_what_that_frame_twice_does():
    assert video_tokens(300, 200, 1, SMALL) == video_tokens(300, 200, 2, SMALL)
