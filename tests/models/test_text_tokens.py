"""Tokens of a text: counted where the tokenizer is at hand, estimated elsewhere."""

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from pipeline.models.text_tokens import token_counter


def test_the_models_own_tokenizer_counts(tmp_path):
    tokenizer = Tokenizer(WordLevel({"a": 0, "cup": 1, "?": 2}, "?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert token_counter(str(tmp_path))("a cup a cup saucer") == 5


def test_without_one_four_bytes_are_a_token():
    count = token_counter("Qwen/Qwen3-VL-32B-Instruct")
    assert [count(""), count("cups"), count("a cup"), count("杯子")] == [0, 1, 2, 2]
