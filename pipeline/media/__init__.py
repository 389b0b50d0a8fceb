"""From bytes on disk to pixels and what can be measured on them.

`probe` says what a file is, `decode` reads its pixels, `frames` samples and caches them, `scenes`
splits a video, `facts` measures. Bad input raises MediaError with a reason of `reasons.REASONS`.
"""
