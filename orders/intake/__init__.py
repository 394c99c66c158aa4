"""The pure parts of the way in: strict JSON, alert formats, freshness, replay, sizing, problems."""
