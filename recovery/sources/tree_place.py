"""What must stand where a directory tree is read, loaded or exchanged."""

from typing import Any

from recovery.errors import SourceCorruptError, SourceMissingError


def require_tree(path: str, found: dict[str, Any]) -> None:
    """Given a path and what the shipped program found there, return when it is a tree that can be read and exchanged.

    Raises SourceMissingError, and SourceCorruptError for a link, another kind of file, and mount points.
    """
    untouched = "nothing was touched"
    if not found["exists"]:
        raise SourceMissingError(
            f"there is no directory {path}", state=untouched, hint="correct the path in the inventory, or restore it"
        )
    if found["kind"] == "link":
        raise SourceCorruptError(
            f"{path} is a symbolic link: an exchange would replace the link and leave its target as it was",
            state=untouched,
            hint="name the directory to which it points in the inventory",
        )
    if found["kind"] != "directory":
        raise SourceCorruptError(f"{path} is not a directory", state=untouched, hint="correct the inventory")
    if found["is_mount"]:
        raise SourceCorruptError(
            f"{path} is a mount point, whose name cannot be exchanged with that of a copy",
            state=untouched,
            hint="name a directory inside of that file system in the inventory",
        )
    if found["mounts"]:
        raise SourceCorruptError(
            f"another file system is mounted inside of {path}, at {found['mounts'][0]}",
            state=untouched,
            hint="make it a component of its own outside of this tree, or unmount it",
        )
