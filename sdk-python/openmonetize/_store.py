"""The store of a queue's events: the protocol of a store, and a store that uses a file."""

import json
import os
import threading
from typing import Any, Dict, List, Protocol, Sequence, Set, Tuple

from ._errors import ConfigurationError

Queued = Tuple[str, str]
COMPACT_BYTES = 4 * 1024 * 1024

# The files that this process has open. The lock serializes stores that open at the same time in several threads.
_open: Set[str] = set()
_opening = threading.Lock()


class Store(Protocol):
    """The storage of a queue's events. Only one thread at a time calls its methods."""

    def load(self) -> List[Queued]: ...

    def append(self, events: Sequence[Queued]) -> None: ...

    def remove(self, ids: Sequence[str]) -> None: ...

    def reject(self, event: Queued, reason: str) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class FileStore:
    """A store that keeps events in a file.

    `track` writes the event to the file before it returns, so that the event survives the end of the process. When
    `flush` returns, the event is synced to the disk and survives a power failure. The TypeScript client uses the same
    format. Only one store may use a file at a time; a second store raises a `ConfigurationError`.
    """

    def __init__(self, path: str) -> None:
        if not isinstance(path, (str, os.PathLike)) or not str(path):
            raise ConfigurationError("FileStore requires a file path.")
        self._path = os.path.abspath(path)
        self.rejected_path = self._path + ".rejected"
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        with _opening:
            self._lock_file()
            _open.add(self._path)
        self._dead = 0
        self._closed = False
        self._torn = False
        try:
            self._kept = self._read()
            self._file = self._rewrite()
        except BaseException:
            self._unlock_file()
            raise

    def load(self) -> List[Queued]:
        return list(self._kept.items())

    def append(self, events: Sequence[Queued]) -> None:
        for id, text in events:
            self._kept[id] = text
        self._write("".join(f"+{text}\n" for _id, text in events))

    def remove(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._dead += len(self._kept.pop(id, ""))
        if not self._kept:
            self._dead = 0
            self._file.truncate(0)
        elif self._dead > COMPACT_BYTES:
            old, self._file = self._file, self._rewrite()
            old.close()
        else:
            self._write("".join(f"-{json.dumps(id)}\n" for id in ids))

    def reject(self, event: Queued, reason: str) -> None:
        line = json.dumps({"reason": reason, "event": json.loads(event[1])})
        with open(self.rejected_path, "a", encoding="utf-8", opener=_private) as file:
            file.write(line + "\n")

    def sync(self) -> None:
        if not self._closed:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._file.close()
        self._unlock_file()

    def _write(self, lines: str) -> None:
        if self._closed:
            raise ValueError(f"The store of {self._path} is closed")
        # A write to a full disk can leave an incomplete line, so the next write starts a new line.
        data = (b"\n" if self._torn else b"") + lines.encode()
        self._torn = True
        while data:
            data = data[self._file.write(data) :]
        self._torn = False

    def _rewrite(self) -> Any:
        """Replaces the file atomically by a file with only the undelivered events. Returns the new file."""
        following = self._path + ".next"
        if os.path.exists(following):
            os.unlink(following)
        # The file is unbuffered, so written events survive the end of the process.
        file = open(following, "ab", buffering=0, opener=_private)
        try:
            data = "".join(f"+{text}\n" for text in self._kept.values()).encode()
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
            os.replace(following, self._path)
        except OSError:
            file.close()
            raise
        self._dead = 0
        self._torn = False
        return file

    def _read(self) -> Dict[str, str]:
        kept: Dict[str, str] = {}
        if not os.path.exists(self._path):
            return kept
        with open(self._path, encoding="utf-8", errors="replace", newline="\n") as file:
            for line in file:
                line = line.rstrip("\n")
                try:
                    value = json.loads(line[1:])
                except ValueError:
                    # The line is incomplete because its write failed.
                    continue
                if line.startswith("-") and isinstance(value, str):
                    kept.pop(value, None)
                elif line.startswith("+") and isinstance(value, dict):
                    kept[str(value.get("idempotency_key"))] = line[1:]
        return kept

    def _lock_file(self) -> None:
        name = self._path + ".lock"
        while True:
            try:
                descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                os.write(descriptor, str(os.getpid()).encode())
                os.close(descriptor)
                return
            except FileExistsError:
                with open(name, encoding="utf-8") as file:
                    holder = int(file.read().strip() or 0)
                # In a restarted container, this process can have the id of a process of an earlier run, whose lock file
                # still exists.
                taken = self._path in _open if holder == os.getpid() else _is_alive(holder)
                if taken:
                    raise ConfigurationError(
                        f"{self._path} is used by a store of process {holder}. Give each store its own file."
                    ) from None
                os.unlink(name)

    def _unlock_file(self) -> None:
        with _opening:
            _open.discard(self._path)
            os.unlink(self._path + ".lock")


def _private(path: str, flags: int) -> int:
    """Opens a file that only its owner can read, because events can contain personal data."""
    return os.open(path, flags, 0o600)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return pid > 0
