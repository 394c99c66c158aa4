# pytest reads this file before Django is set up: what needs models is imported by the fixtures.
from tests.pages.conftest import static_files

__all__ = ["static_files"]
