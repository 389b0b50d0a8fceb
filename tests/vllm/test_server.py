"""The same tasks through vLLM's own server and the adapter `openai`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import ServerSettings, VlmSettings
from pipeline.runners.local import LocalRunner
from pipeline.synth.recipe import synthesise
from tests.runners.steps import Silent
from tests.vllm.pool import TASKS, check, config, write_pool

POLL_S = 1.0
# A chat template as Qwen3-VL's: the tiny checkpoint has none worth using.
TEMPLATE = (
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'text' %}{{ part.text }}"
    "{%- elif part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- else %}<|video_pad|>{%- endif %}{%- endfor %}{%- endif %}<|im_end|>\n"
    "{%- endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{%- endif %}"
)


@pytest.fixture(scope="module")
def url(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "template.jinja").write_text(TEMPLATE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", checkpoints / "bare"),
        *("--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port), "--enforce-eager"),
        *("--dtype", "float32", "--max-model-len", "24576", "--max-num-seqs", "8"),
        *("--no-enable-chunked-prefill", "--max-num-batched-tokens", "24576"),  # arguments.vlm_arguments says why
        *("--chat-template", folder / "template.jinja", "--limit-mm-per-prompt", '{"image": 64, "video": 1}'),
        *("--structured-outputs-config", '{"backend": "guidance", "disable_any_whitespace": true}'),
    ]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    environment |= {"OMP_NUM_THREADS": "2", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, env=environment)
    try:
        while not _answers(port):
            assert server.poll() is None, (folder / "log").read_text()[-5000:]
            time.sleep(POLL_S)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.parametrize("video", ["frames", "video_url"])
def test_images_and_videos_go_through_the_server(url: str, tmp_path: Path, video: str) -> None:
    out = write_pool(tmp_path, 4, 3)
    vlm = VlmSettings(
        adapter="openai",
        base_url=url,
        model="tiny",
        max_output_tokens=2048,
        max_refused_share=1.0,
        server=ServerSettings(concurrency=8, video=video),  # type: ignore[arg-type]
    )
    wanted = config(vlm, kind="local")
    synthesise(out, list(TASKS), wanted, LocalRunner(wanted.runner), Silent())
    check(out, 7)
