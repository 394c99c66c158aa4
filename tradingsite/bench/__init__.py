"""The benchmark: alert to answer through the real desk, and where the time goes."""
