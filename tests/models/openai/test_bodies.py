"""What is posted, without a server."""

import base64
import io
import json

import av
import numpy as np
import pytest

from pipeline.models.openai.bodies import body, content
from pipeline.models.openai.formats import LADDER, unfenced, without_bounds
from pipeline.models.openai.mp4 import mean_fps, mp4
from pipeline.models.protocols import Pixels, Request
from tests.models.openai.asking import SCHEMA, settings
from tests.models.pictures import gradient, jpeg, pixels, plain

FORMS = {form.name: form for form in LADDER}
URL = "http://127.0.0.1:1/v1"


def posted(request, name="json_schema", **server):
    return json.loads(body(request, SCHEMA, FORMS[name], settings(URL, **server)))


def kinds(parts):
    return [part["text"] if part["type"] == "text" else part["type"] for part in parts]


def test_the_prompt_stands_before_the_pixels_so_that_equal_beginnings_can_be_cached():
    asked = Request("Say what it shows.\n", (pixels(gradient()),), ("a",), 3)
    (message,) = posted(asked)["messages"]
    assert (message["role"], kinds(message["content"])) == ("user", ["Say what it shows.\n", "image_url"])


def test_a_picture_travels_as_the_bytes_it_was_sampled_with():
    frame = jpeg(gradient())
    (_, part) = content(Request("p", (Pixels((frame,), (0.0,), video=False),), ()), settings(URL))
    head, data = part["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data) == frame
    assert part["image_url"].keys() == {"url"}


def test_frames_of_a_video_have_their_times_between_them():
    first = Pixels((jpeg(plain(1, 2, 3)), jpeg(plain(9, 9, 9))), (12.0, 13.04), video=True)
    second = Pixels((jpeg(plain(5, 5, 5)),), (20.5,), video=True)
    parts = content(Request("p", (first, second), ()), settings(URL))
    times = ["<12.0 seconds>", "image_url", "<13.0 seconds>", "image_url", "<20.5 seconds>", "image_url"]
    assert kinds(parts) == ["p", *times]


def test_a_video_travels_as_one_mp4_where_the_server_reads_it_and_a_still_as_a_picture():
    film = pixels(plain(200, 0, 0), plain(0, 200, 0), plain(0, 0, 200), video=True)
    still = Pixels((jpeg(gradient()),), (4.0,), video=True)
    parts = content(Request("p", (film, still), ()), settings(URL, video="video_url"))
    assert kinds(parts) == ["p", "<video from 0.0 to 2.0 seconds>", "video_url", "<4.0 seconds>", "image_url"]
    data = base64.b64decode(parts[2]["video_url"]["url"].removeprefix("data:video/mp4;base64,"))
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.video[0].average_rate == 1
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [picture.shape for picture in shown] == [(48, 64, 3)] * 3
    assert [int(np.argmax(picture.mean((0, 1)))) for picture in shown] == [0, 1, 2]


def test_an_mp4_has_the_same_bytes_each_time_and_fits_odd_sizes():
    film = pixels(plain(200, 0, 0, width=33, height=21), gradient(), video=True)
    assert mp4(film) == mp4(film)
    with av.open(io.BytesIO(mp4(film))) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(32, 20)] * 2


@pytest.mark.parametrize(
    ("times", "fps"), [((0.0,), 1), ((3.0, 3.0), 1), ((0.0, 0.5, 1.0), 2), ((10.0, 12.0, 20.0), 0.2)]
)
def test_the_rate_of_a_clip_is_the_mean_rate_of_its_frames(times, fps):
    assert float(mean_fps(times)) == fps


def test_sampling_is_sent_with_the_seed_of_the_request():
    asked = posted(Request("p", (), (), 41))
    assert {k: asked[k] for k in ("model", "temperature", "top_p", "seed", "max_tokens")} == {
        "model": "served",
        "temperature": 0.7,
        "top_p": 0.8,
        "seed": 41,
        "max_tokens": 2048,
    }


def test_what_a_server_does_not_know_is_left_out_or_called_by_its_name():
    changes = {"omit": ("temperature", "top_p"), "length_field": "max_completion_tokens", "picture_detail": "low"}
    asked = posted(Request("p", (pixels(gradient()),), ()), **changes, extra_body={"top_k": 20})
    assert not {"temperature", "top_p", "max_tokens"} & set(asked)
    assert (asked["max_completion_tokens"], asked["top_k"], asked["seed"]) == (2048, 20, 0)
    assert asked["messages"][0]["content"][1]["image_url"]["detail"] == "low"


def test_each_way_of_asking_for_json_says_so_in_its_own_field():
    asked = {name: posted(Request("p", (), ()), name) for name in FORMS}
    wanted = asked["json_schema"]["response_format"]
    assert wanted == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    assert asked["guided_json"]["guided_json"] == SCHEMA
    assert asked["json_object"]["response_format"] == {"type": "json_object"}
    assert not {"response_format", "guided_json"} & set(asked["prompt"])


@pytest.mark.parametrize("name", ["json_object", "prompt"])
def test_a_model_that_is_not_held_to_the_schema_is_told_it_first(name):
    told, prompt = posted(Request("p", (), ()), name)["messages"][0]["content"]
    assert json.loads(told["text"].split("\n", 1)[1]) == SCHEMA
    assert prompt["text"] == "p"


def test_bounds_are_taken_out_of_a_schema_but_no_key_of_the_same_name():
    schema = {
        "$defs": {"format": {"type": "string", "maxLength": 3, "enum": ["minimum"]}},
        "properties": {
            "pattern": {"$ref": "#/$defs/format"},
            "length": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            "spans": {"type": "array", "items": {"type": "string", "pattern": "a"}, "minItems": 2},
            "note": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]},
        },
        "required": ["pattern", "length"],
        "additionalProperties": False,
    }
    assert without_bounds(schema) == {
        "$defs": {"format": {"type": "string", "enum": ["minimum"]}},
        "properties": {
            "pattern": {"$ref": "#/$defs/format"},
            "length": {"type": "number"},
            "spans": {"type": "array", "items": {"type": "string"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["pattern", "length"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('\n```\n{"a":\n1}\n```\n', '{"a":\n1}'),
        ('{"a": "```json\\n```"}', '{"a": "```json\\n```"}'),
        ('Here:\n```json\n{"a": 1}\n```', 'Here:\n```json\n{"a": 1}\n```'),
    ],
)
def test_only_a_fence_around_the_whole_is_taken_off(text, inside):
    assert unfenced(text) == inside


def test_whatever_a_prompt_holds_can_be_posted():
    asked = posted(Request("ü\ud800\u2028\x00", (), ()))
    assert asked["messages"][0]["content"][0]["text"] == "ü?\u2028\x00"
