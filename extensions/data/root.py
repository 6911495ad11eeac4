"""A Root is a folder that no path leads out of."""

from pathlib import Path

from heddle.extensions.data.errors import refused


class Root:
    """Paths are given with `/`, from the folder on; one that begins with `/` begins there, too.

    A link on the way is followed, as long as it leads to something inside the folder.
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(folder).expanduser().resolve()

    def inside(self, path: str) -> Path:
        """The file of this path; Failure (`forbidden`) where it is outside of the folder."""
        if "\0" in path or ".." in path.replace("\\", "/").split("/"):
            raise refused(f'"{path}" is no path: it may not lead upwards', "forbidden")
        found = (self.path / path.lstrip("/")).resolve()
        if found != self.path and self.path not in found.parents:
            raise refused(f'"{path}" leads out of the folder', "forbidden")
        return found

    def file(self, path: str) -> Path:
        """The same, where it has to be a file's."""
        found = self.inside(path)
        if found == self.path or path.endswith("/"):
            raise refused(f'"{path}" is the path of a folder (wanted: that of a file)', "folder")
        return found

    def name(self, path: Path) -> str:
        """The path from the folder on, with `/`."""
        return path.relative_to(self.path).as_posix()
