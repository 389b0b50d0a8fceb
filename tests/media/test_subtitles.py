"""Subtitles: cues of both formats, and hostile text."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.subtitles import Cue, read_cues

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>First</i> line
second &amp; last

2
01:00:00,5 --> 01:00:01,250 X1:10 X2:20
{\\an8}Later
"""
VTT = """WEBVTT - title

NOTE a comment
that goes on

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.000 align:start
<v Ann>Hello <00:01.500>there

1:02:03.004 --> 1:02:04.000
Bye
"""


def test_srt_and_vtt_give_times_in_seconds_and_plain_text() -> None:
    assert read_cues(SRT) == ([Cue(1.0, 2.5, "First line second & last"), Cue(3600.5, 3601.25, "Later")], 0)
    assert read_cues(VTT) == ([Cue(1.0, 2.0, "Hello there"), Cue(3723.004, 3724.0, "Bye")], 0)
    assert read_cues(SRT.replace("\n", "\r\n")) == read_cues(SRT)


def test_cues_come_in_the_order_of_their_times() -> None:
    text = "0:05.0 --> 0:06.0\nb\n\n0:01.0 --> 0:02.0\na\n"
    assert [c.text for c in read_cues(text)[0]] == ["a", "b"]


def test_what_is_broken_is_counted() -> None:
    text = "0:02.0 --> 0:01.0\nbackwards\n\n0:01.0 --> 0:02.0\n\nx --> y\n\n0:01.0 --> 0:02.0\n<b></b>\n"
    assert read_cues(text) == ([], 4)


def test_a_cue_ends_where_the_next_begins_also_without_an_empty_line() -> None:
    text = "1\n0:01.0 --> 0:02.0\nhello there\nfriend\n2\n0:03.0 --> 0:04.0\nroom\n101\n"
    assert read_cues(text) == ([Cue(1.0, 2.0, "hello there friend"), Cue(3.0, 4.0, "room 101")], 0)


def test_times_inside_notes_and_styles_are_no_cues() -> None:
    text = "WEBVTT\n\nNOTE\n0:01.0 --> 0:02.0\nleft out\n\nREGION\nid:a\n0:01.0 --> 0:02.0\n\n0:05.0 --> 0:06.0\nsaid\n"
    assert read_cues(text) == ([Cue(5.0, 6.0, "said")], 0)


def test_a_minute_has_sixty_seconds() -> None:
    assert read_cues("00:99:02.0 --> 01:40:00.0\nlate\n\n0:00:75.0 --> 0:02:00.0\nlater\n") == ([], 2)


@given(st.text(alphabet=st.sampled_from("0123456789:.,-> \n<>{}\\&;#x")) | st.text())
def test_no_text_breaks_it(text: str) -> None:
    cues, _ = read_cues(text)
    assert all(c.end_s > c.start_s >= 0 and c.text for c in cues)
