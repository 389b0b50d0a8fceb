"""An S3-compatible server on this machine (moto), and buckets in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pipeline.config import FetchSettings, ObjectStoreSettings

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass(frozen=True)
class Buckets:
    """Where the server is, and a client of it."""

    endpoint: str
    client: Any

    def settings(self, **changes: Any) -> FetchSettings:
        store = ObjectStoreSettings(endpoint=self.endpoint, region="us-east-1")
        return FetchSettings(s3=store, retries=0, timeout_s=5, max_fetch_s=20, **changes)

    def fill(self, bucket: str, objects: dict[str, bytes]) -> None:
        self.client.create_bucket(Bucket=bucket)
        for key, body in objects.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=body)


@contextmanager
def s3_server() -> Iterator[Buckets]:
    with pytest.MonkeyPatch.context() as patched:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                patched.delenv(name)
        for name, value in CREDENTIALS.items():
            patched.setenv(name, value)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            endpoint = f"http://{host}:{port}"
            yield Buckets(endpoint, boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1"))
        finally:
            server.stop()
