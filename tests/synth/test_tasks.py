import pytest

from pipeline.errors import UsageError
from pipeline.synth.tasks import TASKS, chosen, task

KEYS = {
    "classification": ["description", "task_type", "label", "misleading_label"],
    "qa": ["description", "task_type", "question", "positive_answer", "hard_negative_answer"],
    "retrieval": ["description", "task_type", "query"],
}
MOMENT_KEYS = ["description", "task_type", "query", "start_s", "end_s", "irrelevant_start_s", "irrelevant_end_s"]
TYPES = {
    "image_classification": [
        "Object Recognition", "Scene Parsing", "Landmark Identification", "Action Recognition"],
    "image_qa": [
        "Factoid Identification", "Visual Reasoning", "OCR-based Data Extraction", "Domain-specific Knowledge Inquiry"],
    "image_retrieval": [
        "Direct Visual Description", "Abstract Narrative", "Compositional Logical Constraints",
        "Knowledge-centric Textual Localisation"],
    "video_classification": [
        "Activity Recognition", "Scene Parsing", "Event Categorization", "Sentiment/Intent Analysis"],
    "video_qa": ["Factual Identification", "Temporal Grounding", "Thematic Reasoning", "Cinematic Analysis"],
    "video_retrieval": [
        "Entity/Action Search", "Temporal Event Description", "Thematic/Emotional Discovery",
        "Instructional/Tutorial Localisation"],
    "moment_retrieval": ["Action Moment", "Object Moment", "Character Moment"],
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_task_has_the_task_types_of_the_paper_each_with_its_own_instruction(name):
    spec = task(name)
    assert list(spec.task_types) == TYPES[name]
    assert len(set(spec.instructions.values())) == len(TYPES[name])
    assert all(i.endswith(".") for i in spec.instructions.values())


@pytest.mark.parametrize("name", TYPES)
def test_schema_asks_for_the_keys_in_order_and_allows_no_other(name):
    schema = task(name).response.model_json_schema()
    expected = MOMENT_KEYS if name == "moment_retrieval" else KEYS[name.split("_")[1]]
    assert list(schema["properties"]) == expected == schema["required"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["task_type"]["enum"] == TYPES[name]
    strings = [p for k, p in schema["properties"].items() if p["type"] == "string" and k != "task_type"]
    assert all(p["maxLength"] > 0 and p["minLength"] == 1 for p in strings)


def test_classification_forbids_negatives_from_the_batch():
    assert not any(task(name).in_batch_negatives for name in ("image_classification", "video_classification"))


def test_the_types_of_every_task_are_stated_here():
    assert set(TYPES) == set(TASKS)


def test_unknown_task_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'video_qa'"):
        task("vidoe_qa")


def test_all_means_every_task_once():
    assert [s.name for s in chosen(["video_qa", "all"])] == ["video_qa", *(n for n in TASKS if n != "video_qa")]
