"""The keys of a chain's customers: a file of its own, outside the ledger and its copies.

`customers.key` holds a secret of the chain and, for each customer, a number and a key: the number is a keyed hash of
the customer by the secret, so that the key is found again; the key is random, and the token in the ledger is made of it
alone (ledger/customer_tokens.py). No name stands there. Destroying a key is overwriting it with zeros in its place; a
file system or a disk that writes elsewhere, or a copy of the file, may keep the old bytes, as docs/privacy.md says.

A record is written and on the disk before its token is used. Half a record at the end, of a process that was killed, is
no record.
"""

import errno
import json
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from io import RawIOBase
from pathlib import Path

from datong.connectors.files.write_whole import write_whole
from datong.ledger.customer_tokens import MARK, TOKEN, token_of
from datong.model.errors import DatongError, Refused
from datong.model.words import message

KEYS_FOLDER = Path(".keys")
_FILE, _PENDING = "customers.key", "forgetting.json"
_MAGIC = b"DTKEYS01"
_SECRET_BYTES, _NUMBER_BYTES, _KEY_BYTES = 32, 16, 32
_HEAD, _RECORD = len(_MAGIC) + _SECRET_BYTES, _NUMBER_BYTES + _KEY_BYTES
_NOBODY = bytes(_NUMBER_BYTES)
# Random keys that are drawn at once.
_AT_ONCE = 1024
# By this file, programs that make backups (tar --exclude-caches, restic, borg) leave a folder out: bford.info/cachedir
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# Keys of customers: a backup of them keeps what is forgotten.\n"
)


def keys_there(folder: Path) -> bool:
    """Whether there is a file of keys in a folder."""
    return (folder / _FILE).is_file()


def _write_all(file: RawIOBase, content: bytes) -> None:
    """Write all of it: a write without a buffer may take a part alone, as on a disk that is nearly full. Raises OSError
    where no more is taken."""
    left = memoryview(content)
    while left:
        taken = file.write(left)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[taken:]


class CustomerKeys:
    """The Customers of a chain (ledger/customer_tokens.py).

    folder: where the keys are; None: in memory, as long as the chain. may_begin: whether keys may be made where there
    is no file; False where the ledger holds tokens, whose keys are lost then.
    """

    def __init__(self, folder: Path | None, *, may_begin: bool = True) -> None:
        self._folder = folder
        self._may_begin = may_begin
        self._secret: bytes | None = None
        self._keys: dict[bytes, bytes] = {}  # by number
        self._place: dict[bytes, int] = {}  # of each number, in bytes from the start of the file
        self._token: dict[bytes, str] = {}  # by number, of those that were asked for
        self._by_token: dict[str, bytes] | None = None  # numbers; None: not worked out yet
        self._end = _HEAD  # where the next record goes
        self._lock = threading.Lock()  # files are read ahead in a thread of their own

    def tokens(self, customers: Sequence[str]) -> list[str]:
        """The token of each; new keys are on the disk before this returns. Raises Refused where keys were lost."""
        with self._lock:
            return self._tokens(customers)

    def _tokens(self, customers: Sequence[str]) -> list[str]:
        self._read(begin=True)
        result, new, random = [], [], b""
        for customer in customers:
            if customer.startswith(MARK) and customer in self._numbers:
                result.append(customer)
                continue
            number = self._number(customer)
            if number not in self._keys:
                if len(new) % _AT_ONCE == 0:
                    random = secrets.token_bytes(_AT_ONCE * _KEY_BYTES)
                at = len(new) % _AT_ONCE * _KEY_BYTES
                self._hold(number, random[at : at + _KEY_BYTES], self._end + len(new) * _RECORD)
                new.append(number)
            result.append(self._token_of(number))
        try:
            self._append(new)
        except BaseException:  # no token may be in use whose key is not on the disk
            for number in new:
                self._let_go(number)
            raise
        return result

    def known(self, customer: str) -> str | None:
        """The token of a customer, or of a token; None where there is no key."""
        self._read(begin=False)
        if customer in self._numbers:
            return customer
        number = None if self._secret is None else self._number(customer)
        return self._token_of(number) if number is not None and number in self._keys else None

    def live(self, tokens: Iterable[str]) -> set[str]:
        """Those of the tokens whose key is there."""
        self._read(begin=False)
        return {token for token in tokens if token in self._numbers}

    def destroy(self, tokens: Sequence[str]) -> int:
        """Overwrite the keys of these tokens. Returns how many there were."""
        self._read(begin=False)
        numbers = [self._numbers[token] for token in tokens if token in self._numbers]
        if self._folder is not None and numbers:
            with (self._folder / _FILE).open("r+b", buffering=0) as file:
                for number in numbers:
                    file.seek(self._place[number])
                    _write_all(file, bytes(_RECORD))
                os.fsync(file.fileno())
        for number in numbers:
            self._let_go(number)
        return len(numbers)

    # What is being forgotten, so that a kill leaves it to the next one -----------------------------------------------

    def begin_forgetting(self, tokens: Sequence[str], why: str) -> None:
        """Note, before anything is done, whose key and rows are to go."""
        if self._folder is not None:
            write_whole(self._made(self._folder) / _PENDING, json.dumps({"tokens": list(tokens), "why": why}).encode())

    def pending(self) -> tuple[tuple[str, ...], str] | None:
        """Tokens whose forgetting was begun and not ended, and why; None where there are none."""
        if self._folder is None or not (self._folder / _PENDING).is_file():
            return None
        noted = json.loads((self._folder / _PENDING).read_text(encoding="utf-8"))
        return tuple(t for t in noted["tokens"] if TOKEN.fullmatch(t)), noted["why"]

    def end_forgetting(self) -> None:
        if self._folder is not None:
            (self._folder / _PENDING).unlink(missing_ok=True)

    # the file --------------------------------------------------------------------------------------------------------

    def _number(self, customer: str) -> bytes:
        return blake2b(customer.encode("utf-8", "surrogatepass"), key=self._secret or b"", digest_size=16).digest()

    def _token_of(self, number: bytes) -> str:
        token = self._token.get(number)
        if token is None:
            token = self._token[number] = token_of(self._keys[number])
        return token

    @property
    def _numbers(self) -> dict[str, bytes]:
        """Numbers by token."""
        if self._by_token is None:
            self._by_token = {self._token_of(number): number for number in self._keys}
        return self._by_token

    def _hold(self, number: bytes, key: bytes, place: int) -> None:
        self._keys[number], self._place[number] = key, place
        if self._by_token is not None:
            self._by_token[self._token_of(number)] = number

    def _let_go(self, number: bytes) -> None:
        if self._by_token is not None:
            del self._by_token[self._token_of(number)]
        self._token.pop(number, None)
        del self._keys[number], self._place[number]

    def _read(self, *, begin: bool) -> None:
        """The file, once. begin: make it where there is none."""
        if self._secret is not None:
            return
        path = None if self._folder is None else self._folder / _FILE
        if path is not None and path.is_file():
            content = path.read_bytes()
            if len(content) < _HEAD or not content.startswith(_MAGIC):
                raise DatongError(message("privacy.bad_keys", path=path))
            for at in range(_HEAD, len(content) - _RECORD + 1, _RECORD):
                number = content[at : at + _NUMBER_BYTES]
                if number != _NOBODY:
                    self._hold(number, content[at + _NUMBER_BYTES : at + _RECORD], at)
            self._secret = content[len(_MAGIC) : _HEAD]
            self._end = _HEAD + (len(content) - _HEAD) // _RECORD * _RECORD
        elif begin:
            if not self._may_begin:
                raise Refused(message("privacy.keys_missing", path=path or KEYS_FOLDER))
            secret = secrets.token_bytes(_SECRET_BYTES)
            if path is not None and self._folder is not None:
                write_whole(self._made(self._folder) / _FILE, _MAGIC + secret)
                path.chmod(0o600)
            self._secret = secret

    def _append(self, new: Sequence[bytes]) -> None:
        if new and self._folder is not None:
            with (self._folder / _FILE).open("r+b", buffering=0) as file:
                file.seek(self._end)  # over half a record, where there is one
                _write_all(file, b"".join(number + self._keys[number] for number in new))
                os.fsync(file.fileno())
        self._end += len(new) * _RECORD

    def _made(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / _TAG).exists():
            (folder / _TAG).write_text(_TAG_TEXT, encoding="utf-8")
        return folder
