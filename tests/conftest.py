"""What holds for every test: properties are tried with the same examples each time, at any speed."""

from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")
