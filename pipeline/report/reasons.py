"""What the codes in the data mean, in a few words for a reader who has not seen the source."""

from __future__ import annotations

from pipeline.media.reasons import REASONS
from pipeline.models.replies import REFUSALS

_POOL = {
    "ambiguous_name": "its name is written like another file's",
    "container": "a tar, Arrow or Parquet file: its members have rows of their own",
    "repeated_member": "its name stands in the tar twice",
    "empty_path": "a row of the list that names no file",
    "bad_row": "a row of the list that cannot be read",
    "link_to_folder": "a link to a folder; those are not followed",
    "unreadable_folder": "a folder that the operating system does not let us list",
    "licence_not_allowed": "its licence is none of those that are allowed",
    "licence_unknown": "nobody states its licence, and one is required",
    "removed": "taken out by seed-pool remove",
    "low_resolution": "narrower or lower than the limit",
    "too_few_pixels": "fewer pixels than the limit",
    "irregular_aspect_ratio": "too long and thin",
    "near_uniform": "nothing in it but one tone",
    "underexposed": "even its brightest parts are nearly black",
    "overexposed": "even its darkest parts are nearly white",
    "blurred": "even its sharpest edges are wide",
    "duplicate": "the same bytes as another file, or the same file named again by a list",
    "near_duplicate": "most of it is the same as in another asset, which the detail names with what was measured",
    "contaminated": "a near copy of a benchmark's media, which the detail names with what was measured",
    "low_score": "a scorer of the settings gives it less than its limit",
    "high_score": "a scorer of the settings gives it more than its limit",
    "low_confidence": "the annotator is not sure of its category",
    "unknown_category": "the annotator named a category that the taxonomy does not have",
    "misaligned": "a second model finds that the description does not fit",
    "over_quota": "its category is full; rebalancing left it out",
    "stage_error": "a stage failed on this row; the detail names the error",
}
_SYNTH = {
    "nothing_true_to_say": "nothing that was measured supports an example of this task",
    "no_description": "the seed pool does not describe it, and synth.describe is `once`",
    "nothing_given": "what came with it says too little to find it by",
    "unknown_language": "the language somebody named is none that is known here",
    "query_too_long": "a query with more words than the prompt allows, or a caption longer than a description may be",
    "answer_too_long": "an answer with more words than the prompt allows",
    "degenerate_text": "a text that runs in a loop",
    "query_copies_description": "a query in the very words of the description",
    "near_duplicate_query": "nearly the words of another query of its task type and language",
    "positive_removed": "its only positive was taken out of the pool",
    "grouped_with": "spoken for by another segment of its file",
    "repeated_query": "the same query stands already, perhaps in other words",
    "answer_equals_negative": "right and wrong answer are the same text",
    "not_grounded": "the medium does not bear it out",
    "negative_is_true": "what is given as wrong is right as well",
    "generic_query": "answered without the medium, or fits most media",
    "answer_in_question": "the question names its answer",
    "empty_query": "no words in the query",
    "empty_answer": "no words in the answer",
    "empty_negative": "no words in the wrong answer",
    "empty_span": "a span without length",
    "span_outside_video": "a span that the video does not have",
    "span_outside_segments": "a span that lies in no kept segment",
    "irrelevant_span_too_close": "no clear gap between the moment and the irrelevant span",
    "description_too_long": "more words than the prompt allows",
    "wrong_language": "not written in the language that was asked for",
}
_MINE = {
    "no_positive_in_top_k": "none of its positives was among the recalled documents",
    "positive_below_t_pos": "its positives were recalled, but none scores above t+",
    "ambiguous": "too many documents score as high as its positives",
    "over_type_quota": "its task type has as many queries as settings allow",
}
_READ = {
    "bad_utf8": "bytes that are not UTF-8",
    "bad_json": "a line that is no JSON object",
    "line_too_long": "a line longer than any row of a data set",
    "missing_id": "no id",
    "bad_id": "an id that is neither text nor a whole number",
    "duplicate_id": "the id of an earlier row",
    "bad_value": "a value of another kind than belongs there",
    "empty_content": "no text, picture or video",
    "two_media": "a picture and a video in one",
    "bad_span": "a span that is none",
    "bad_url": "a URL that cannot be fetched",
    "two_task_types": "a task type of its own, in one of several data sets",
    "no_positive_given": "nothing that can be used is judged relevant to it",
    "bad_score": "a grade that is no number",
    "unknown_query": "a judgement of a query that does not exist or was rejected",
    "unknown_document": "a judgement of a document that does not exist or was rejected",
    "contradiction": "judged relevant and irrelevant; relevant counts",
}
_GUARDS = {
    "labelled_positive": "a positive of this very query",
    "same_query": "a positive of another query with the same content",
    "similar_query": "a positive of a query with nearly the same vector",
    "same_content": "the same normalised text or medium as a positive",
    "near_duplicate": "in the near-duplicate group of a positive",
    "same_source": "cut from the file of a positive",
    "related_label": "names the same as a positive, a kind of it, or what it is a kind of",
    "near_positive": "of all that the query recalls among the most like a positive",
    "judged": "the judge finds it relevant",
    "undecided": "synthesis could not tell whether it is right",
}
_STAGES = {
    "discover": "lists every file in the input folder",
    "probe": "reads headers: medium, size, duration, hash",
    "provenance": "captions, credits and subtitles that came with it; its licence",
    "quality": "resolution and aspect ratio",
    "scenes": "cuts videos into segments; drops short, black, one-coloured, still and mostly barred ones",
    "cues": "gives each segment its subtitles",
    "pictures": "drops frames that are uniform, lost in black or white, or blurred",
    "look": "vectors by which copies find each other",
    "exclude": "leaves out near copies of benchmarks' media",
    "duplicates": "same bytes, or mostly the same pixels",
    "score": "scores by the models that the settings name",
    "measure": "colours, light, motion, text",
    "label": "category, confidence, description",
    "categorise": "puts categories outside the taxonomy under the nearest one",
    "similarity": "how well the description fits the pixels, says a second model",
    "align": "drops what fits least: below a figure, or the lowest percent",
    "removed": "drops files that were taken out, by their bytes",
    "removed_segments": "drops segments that were taken out",
    "remove": "taken out since",
    "read": "reads a data set from elsewhere",
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
    known = {**REASONS, **REFUSALS, **_POOL, **_SYNTH, **_READ, **_MINE}
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
