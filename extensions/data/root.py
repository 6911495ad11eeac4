"""A Root is a folder that no path leads out of."""

from pathlib import Path

from heddle.extensions.data.errors import rejected


class FolderRoot:
    """Paths are given with `/`, from the folder on; one that begins with `/` begins there, too.

    A link on the way is followed, as long as it leads to something inside the folder.
    """

    def __init__(self, folder: str) -> None:
        self.given = Path(folder).expanduser().absolute()
        """The folder as it was given: links in it may lead elsewhere tomorrow."""
        self._before = self._last = self.given.resolve()

    @property
    def path(self) -> Path:
        """The folder that it leads to now."""
        now = self.given.resolve()
        if now != self._last:
            self._before, self._last = self._last, now
        return now

    def inside(self, path: str) -> Path:
        """Return the file of this path; NodeError (`forbidden`) if it is outside of the folder."""
        if "\0" in path or ".." in path.replace("\\", "/").split("/"):
            raise rejected(f'"{path}" is not a path: it may not lead upwards', "forbidden")
        root = self.path
        target = (root / path.lstrip("/")).resolve()
        if target != root and root not in target.parents:
            raise rejected(f'"{path}" leads out of the folder', "forbidden")
        return target

    def file(self, path: str) -> Path:
        """Return the same, if it has to be a file's."""
        target = self.inside(path)
        if target == self._last or path.endswith("/"):
            raise rejected(f'"{path}" is the path of a folder (expected: that of a file)', "folder")
        return target

    def name(self, path: Path) -> str:
        """Return the path from the folder on, with `/`; also when it leads elsewhere since a moment."""
        root = self.path
        if not path.is_relative_to(root) and path.is_relative_to(self._before):
            root = self._before
        return path.relative_to(root).as_posix()
