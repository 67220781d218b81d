"""The walls of a sandbox: Linux namespaces and a root of its own, by the system calls themselves.

What stays outside: the network (there is no interface), every other process, the files of this machine but for a
read-only `/usr` and Python. It needs user namespaces, or to be root with the right to mount. `Refused` says what failed.

Runs inside the sandbox's own process, which is Python without any package: only the standard library is there.
"""

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HOME", "Refused", "Walls", "give_up_privileges"]

HOME = "/sandbox"
"""Where code runs, as it sees it: a memory file system, gone with the sandbox."""

_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")

# From <sched.h>, <sys/mount.h> and <sys/prctl.h>; they are the same on every architecture.
_NEW_MOUNTS, _NEW_UTS, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The kernel does not let the walls be built; the message says at which call."""


@dataclass(frozen=True)
class Walls:
    """What the sandbox has.

    Attributes:
        root: An empty folder, on which its root is mounted.
        shown: Folders that Python needs, which can be read where they are.
        hidden: Folders that cannot, though they may lie in one of those.
        disk_mb: Size of `HOME`.
        files: How many files and folders fit into `HOME`.
    """

    root: Path
    shown: tuple[str, ...]
    hidden: tuple[str, ...]
    disk_mb: int
    files: int

    def build(self) -> int | None:
        """Go in, and give the user that code is to run as; None for the user that this is.

        Forks: the caller goes on as the first process in there, and the process it was waits for its end.
        """
        outside, group = os.geteuid(), os.getegid()  # before, as nobody is anybody in a new namespace
        kinds = _NEW_MOUNTS | _NEW_UTS | _NEW_IPC | _NEW_PROCESSES | _NEW_NETWORK
        _call("unshare", kinds if outside == 0 else kinds | _NEW_USER)
        if outside != 0:
            _keep_user(outside, group)
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            os._exit(abs(os.waitstatus_to_exitcode(status)) & 0xFF)
        _call("prctl", _PR_SET_PDEATHSIG, 9, 0, 0, 0)
        # No limit holds root, so its code gets another user; each sandbox its own, as processes are counted by user.
        user = 20_000 + self.root.stat().st_ino % 40_000 if outside == 0 else None
        self._furnish(user or outside, user or group)
        _call("chroot", os.fsencode(self.root))  # in which no new user namespace can be made
        os.chdir(HOME)
        return user

    def _furnish(self, user: int, group: int) -> None:
        _mount(None, "/", None, _REC | _PRIVATE)
        _mount("tmpfs", self.root, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
        for path in [*_outermost([*_SYSTEM, *self.shown]), *_DEVICES]:
            self._show(path)
        for path in self.hidden:
            if (target := self.root / path[1:]).is_dir():
                _mount("tmpfs", target, "tmpfs", _NOSUID | _NODEV, "size=4k,mode=000")
        home = self.root / HOME[1:]
        home.mkdir()
        if not (temporary := self.root / "tmp").exists():  # it does where a Python that lives below it is shown
            temporary.symlink_to(HOME)
        _set_attributes(self.root, _ATTR_RDONLY | _ATTR_NOSUID)
        options = f"size={self.disk_mb}m,nr_inodes={self.files},mode=700,uid={user},gid={group}"
        _mount("tmpfs", home, "tmpfs", _NOSUID | _NODEV, options)

    def _show(self, path: str) -> None:
        """Let a folder or file of the machine be read, and links be the links they are."""
        source, target = Path(path), self.root / path[1:]
        if not source.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
            return
        if source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        _mount(path, target, None, _BIND | _REC)
        _set_attributes(target, _ATTR_RDONLY | _ATTR_NOSUID)


def give_up_privileges() -> None:
    """Never gain any again, not by a set-user-ID program either; and end when the process that forked this one ends."""
    if hasattr(_libc, "prctl"):
        _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _call("prctl", _PR_SET_PDEATHSIG, 9, 0, 0, 0)


def _keep_user(user: int, group: int) -> None:
    """Be the same user inside: one that is not root, so that starting a program drops every capability."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _outermost(paths: Iterable[str]) -> list[str]:
    """Leave out what lies within another of them."""
    found: list[str] = []
    for path in sorted({os.path.abspath(path) for path in paths}):
        if not any(path.startswith(f"{each}/") for each in found):
            found.append(path)
    return found


def _mount(source: str | None, target: str | Path, kind: str | None, flags: int, options: str = "") -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    _call("mount", *encoded, ctypes.c_ulong(flags), options.encode(), shown=f"mount {target}")


def _set_attributes(target: Path, attributes: int) -> None:
    """Set them on a mount and on all below it; those it has already stay."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    number, size = ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_size_t(ctypes.sizeof(wanted))
    arguments = (number, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, ctypes.byref(wanted), size)
    _call("syscall", *arguments, shown=f"mount_setattr {target}")


def _call(name: str, *arguments: object, shown: str = "") -> None:
    function = getattr(_libc, name, None)
    if function is None:
        raise Refused(f"this system has no {name}")
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise Refused(f"{shown or name}: {os.strerror(number)}")
