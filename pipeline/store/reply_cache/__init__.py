"""Replies of VLMs that were paid for, on disk: what was asked once is not asked again. Start at cached_vlm.py."""
