"""Hash and check PINs with argon2id, in separate threads and outside any transaction."""

import asyncio
import secrets
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

USUAL = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's minimum for argon2id: 19 MiB, two passes, one lane; about 30 ms.

The lockout, not the hash, keeps a PIN of six digits from being guessed through the login. When
these parameters rise, each PIN is hashed again at its next log-in.
"""

# Two threads limit the processor time and memory that many logins at once can take, and the
# event loop stays free.
THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def _unmatched(hasher: PasswordHasher) -> str:
    """Return a hash with the hasher's parameters that is of no PIN; it takes no time to make."""
    salt, result = (
        b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (hasher.salt_len, hasher.hash_len)
    )
    return (
        f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        f"${salt}${result}"
    )


_hasher = USUAL
_nobodys = _unmatched(USUAL)


def hash_with(hasher: PasswordHasher) -> None:
    """Hash PINs with other parameters in this process from now on.

    For tests and benchmarks alone, which register thousands of patrons. No setting does this, so
    that no environment makes the hashes of a running system cheaper.
    """
    global _hasher, _nobodys
    _hasher, _nobodys = hasher, _unmatched(hasher)


async def rehashed(pin: str, pin_hash: str) -> str | None:
    """Return a PIN's hash with today's parameters; None if it has these already."""
    return await hash_pin(pin) if _hasher.check_needs_rehash(pin_hash) else None


async def hash_pin(pin: str) -> str:
    """Return the stored form of a PIN: algorithm, parameters, salt and hash in one text."""
    return await asyncio.get_running_loop().run_in_executor(THREADS, _hasher.hash, pin)


async def pin_matches(pin: str, pin_hash: str | None) -> bool:
    """Return True if `pin_hash` is the hash of the PIN.

    Without a `pin_hash` (there is no such card) the result is False, after the same work as for a
    wrong PIN. So the duration of a login does not reveal which cards exist.
    """
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(THREADS, _matches, pin, pin_hash or _nobodys)
    return matches and pin_hash is not None


def _matches(pin: str, pin_hash: str) -> bool:
    try:
        return _hasher.verify(pin_hash, pin)
    except VerificationError:
        return False
