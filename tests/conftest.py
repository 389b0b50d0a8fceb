"""What every suite shares."""

from hypothesis import settings

# How long an example takes depends on the machine; tests make no timed assertions.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
