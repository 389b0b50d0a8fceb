"""Tests of pipeline.mine."""
