"""What the codes in the data mean, in a few words for a reader who has not seen the source."""

from __future__ import annotations

from pipeline.media.reasons import REASONS

_POOL = {
    "dangling_link": "a link to a file that does not exist",
    "link_to_folder": "a link to a folder; those are not followed",
    "unreadable_folder": "a folder that the operating system does not let us list",
    "low_resolution": "narrower or lower than the limit",
    "irregular_aspect_ratio": "too long and thin",
    "duplicate": "the same bytes as another file",
    "near_duplicate": "looks like another asset (perceptual hashes agree)",
    "low_confidence": "the annotator is not sure of its category",
    "misaligned": "a second model finds that the description does not fit",
    "over_quota": "its category is full; rebalancing left it out",
    "stage_error": "a stage failed on this row; the detail names the error",
}
_SYNTH = {
    "nothing_true_to_say": "nothing that was measured supports an example of this task",
    "grouped_with": "spoken for by another segment of its file",
    "repeated_query": "the same query was written before",
    "ambiguous_query": "the query fits other assets as well, and they cannot all be its positives",
    "answer_equals_negative": "right and wrong answer are the same text",
    "answer_in_question": "the question names its answer",
    "empty_query": "no words in the query",
    "empty_answer": "no words in the answer",
    "empty_negative": "no words in the wrong answer",
    "empty_reply": "the model answered nothing",
    "empty_span": "a span without length",
    "span_outside_video": "a span that the video does not have",
    "span_outside_segments": "a span that lies in no kept segment",
    "irrelevant_span_too_close": "no clear gap between the moment and the irrelevant span",
    "description_too_long": "more words than the prompt allows",
    "wrong_language": "not written in the language that was asked for",
    "malformed_reply": "the reply is not one JSON object",
    "schema_violation": "the reply lacks a key, or has one too many or of the wrong kind",
    "reply_truncated": "the reply was cut off before its end",
}
_MINE = {
    "no_positive_in_top_k": "none of its positives was among the recalled documents",
    "positive_below_t_pos": "its positives were recalled, but none scores above t+",
}
_GUARDS = {
    "labelled_positive": "a positive of this very query",
    "same_query": "a positive of another query with the same content",
    "same_content": "the same normalised text or medium as a positive",
    "near_duplicate": "in the near-duplicate group of a positive",
    "same_source": "cut from the file of a positive",
    "undecided": "synthesis could not tell whether it is right",
}
_STAGES = {
    "discover": "lists every file in the input folder",
    "probe": "reads headers: medium, size, duration, hash",
    "quality": "resolution and aspect ratio",
    "scenes": "cuts videos into segments; drops short, black, one-coloured, still and mostly barred ones",
    "duplicates": "same bytes, or nearly the same look",
    "measure": "colours, light, motion, text",
    "label": "category, confidence, description",
    "align": "does the description fit the pixels, says a second model",
    "rebalance": "limits each category to its quota",
}
_TASKS = {
    "image_classification": "an image and an instruction find a label",
    "image_qa": "an image and a question find an answer",
    "image_retrieval": "a text finds an image",
    "video_classification": "a video and an instruction find a label",
    "video_qa": "a video and a question find an answer",
    "video_retrieval": "a text finds a video",
    "moment_retrieval": "a text finds a moment inside a video",
}


def meaning_of_reject(code: str) -> str:
    """A reject's reason in words; the code itself, spelt out, where it is not known here."""
    known = {**REASONS, **_POOL, **_SYNTH, **_MINE}
    return known.get(code, code.replace("_", " "))


def meaning_of_guard(name: str) -> str:
    """What a guard of mining protects against."""
    return _GUARDS.get(name, name.replace("_", " "))


def meaning_of_stage(name: str) -> str:
    """What a stage of the seed pool does; empty where it is not known here."""
    return _STAGES.get(name, "")


def meaning_of_task(name: str) -> str:
    """What finds what in a task; empty for a data set of one's own."""
    return _TASKS.get(name, "")
