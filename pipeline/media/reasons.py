"""Why a medium cannot be used: the closed set of reject codes that `pipeline.media` may give.

A code is a counter's name; the `detail` beside it in a MediaError holds measured value and limit.
"""

from __future__ import annotations

from types import MappingProxyType

REASONS = MappingProxyType(
    {
        # the file itself
        "missing": "the file is not there (any more)",
        "broken_link": "a symbolic link whose target is not there",
        "link_loop": "symbolic links that lead back to themselves",
        "outside_media_root": "the path leads out of the media root",
        "unreadable": "the operating system does not let us read it",
        "not_a_file": "a folder, FIFO, socket or device",
        "empty_file": "no bytes",
        # getting it, where it is not on this machine
        "bad_url": "a URL that cannot be read",
        "not_allowed": "a URL that the settings do not allow to be fetched",
        "private_address": "a server that is not on the public internet",
        "fetch_failed": "the server did not give it",
        "fetch_timeout": "the server took too long to give it",
        "too_large": "more bytes than max_bytes allows",
        "opted_out": "its server asks not to use it for training",
        # what its bytes are
        "not_media": "text, code or data, neither picture nor video",
        "unsupported_format": "a format that no decoder here reads",
        "no_video_stream": "a container that holds sound only",
        # what decoding it showed
        "corrupt_container": "the tar, Arrow or Parquet file that holds it cannot be read there",
        "truncated": "the file ends before its format says so",
        "corrupt_image": "the decoder cannot make a picture of it",
        "corrupt_video": "the decoder stopped at damaged data",
        "too_many_pixels": "more pixels than max_pixels allows",
        "too_long": "longer than max_duration_s allows",
        "decode_timeout": "decoding took longer than max_decode_s and the length of the video",
        "decoder_crashed": "the process that decoded it died, and so did a second one",
        "no_frames": "the span holds no frame",
        # segments of a video
        "too_short": "a segment shorter than min_scene_s",
        "black": "a segment that stays darker than min_luma",
        "single_colour": "a segment of one colour, with less contrast than min_contrast",
        "letterboxed": "a segment that is black bars for more than max_bar_share",
        "static": "a segment that moves less than min_motion",
        "frozen": "a segment that stands still for more than max_frozen_share of it",
    }
)
