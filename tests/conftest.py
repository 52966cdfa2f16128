"""Settings that all tests share."""

from hypothesis import settings

settings.register_profile("moiety", deadline=None, max_examples=25)
settings.load_profile("moiety")
