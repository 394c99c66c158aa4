"""The demo: a trader's day at a running desk, told step by step and checked step by step."""
