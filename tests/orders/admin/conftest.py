from tests.pages.conftest import static_files

__all__ = ["static_files"]
