"""Property tests judge results and not the speed of a shared machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("intake", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("intake")
