"""Several workers keep to one number of requests in flight, and a worker's calls overlap up to it."""

import asyncio
from collections.abc import Iterator

import pyarrow as pa
import pytest

from pipeline.config import Config, RunnerSettings, SynthSettings
from pipeline.errors import ConfigError
from pipeline.runners.ray import RayRunner
from pipeline.stage import ModelRef, numbered
from pipeline.synth.annotation import Annotation
from pipeline.synth.by_vlm import by_vlm
from tests.models.chat_server import Asked, ChatServer, Wire, chat
from tests.models.hostile_run import asked, names, sampled
from tests.models.openai.asking import small_ones_well
from tests.runners.steps import Silent

ROWS, CONCURRENCY, WORKERS = 60, 6, 2


def config(url: str, **changes: object) -> Config:
    vlm = {
        "adapter": "openai",
        "base_url": url,
        "batch_size": 2,
        "server": {"concurrency": CONCURRENCY, "json_mode": "json_schema"},
    }
    return Config.model_validate({"vlm": vlm, "runner": {"kind": "ray", "workers": WORKERS, **changes}})


@pytest.fixture
def runner() -> Iterator[RayRunner]:
    import ray

    yield RayRunner(RunnerSettings(workers=WORKERS))
    ray.shutdown()


@pytest.mark.slow
def test_the_workers_of_a_run_share_the_places(runner: RayRunner, tmp_path) -> None:
    async def answer(wire: Wire) -> None:
        await asyncio.sleep(0.05)
        await chat("no JSON")(wire)

    def decide(_: Asked):
        return answer

    sampled(tmp_path, ROWS)
    with ChatServer(small_ones_well(decide)) as server:
        settings = config(server.url)
        annotation = Annotation("image_qa", settings.synth, settings.frames, tmp_path / "cache", tmp_path, 7)
        vlm = settings.annotator
        stage = by_vlm(annotation, ModelRef("vlm", vlm), vlm.batch_size)
        table = pa.concat_tables(runner.map([stage], numbered(asked(ROWS)), Silent()))
        # A worker has three places and two rows a call: calls that did not overlap would leave one place empty.
        assert CONCURRENCY // WORKERS <= server.most <= CONCURRENCY
        assert len(server.asked) >= 2 * ROWS
    assert table.column("asset_id").to_pylist() == names(ROWS)
    assert {row["reason"] for row in table.column("reject").to_pylist()} == {"malformed_reply"}


@pytest.mark.parametrize(
    ("kind", "workers", "share", "rows", "calls"),
    [("ray", 2, 3, 2, 3), ("ray", 4, 1, 2, 2), ("local", 4, 6, 6, 2)],
)
def test_a_worker_gets_its_share_and_as_many_calls_as_fill_it(kind, workers, share, rows, calls) -> None:
    vlm = config("http://127.0.0.1:1/v1", kind=kind, workers=workers).annotator
    assert (vlm.server.concurrency, vlm.batch_size, ModelRef("vlm", vlm).calls) == (share, rows, calls)


def test_more_workers_than_places_are_an_error_that_names_both() -> None:
    with pytest.raises(ConfigError, match=r"concurrency is 6, but each of 7 workers.*runner.workers to 6"):
        _ = config("http://127.0.0.1:1/v1", workers=7).annotator


def test_other_adapters_are_loaded_as_they_are_set() -> None:
    assert Config().annotator == Config().vlm
    assert ModelRef("vlm", Config().vlm).calls == 1


def test_annotator_and_judge_of_one_server_share_its_places() -> None:
    both = config("http://127.0.0.1:1/v1").model_copy(update={"synth": SynthSettings(verify=True)})
    assert (both.at_once.annotator.server.concurrency, both.at_once.judge.server.concurrency) == (1, 1)
    assert (both.annotator.server.concurrency, both.judge.server.concurrency) == (3, 3)
    other = both.vlm.model_copy(update={"base_url": "http://127.0.0.1:2/v1"})
    apart = both.model_copy(update={"verifier": other}).at_once
    assert (apart.annotator.server.concurrency, apart.judge.server.concurrency) == (3, 3)
