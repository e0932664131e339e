"""Hash and check PINs: argon2id, in threads of its own, never inside a transaction."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

# OWASP's least for argon2id: 19 MiB, two passes, one lane; about 30 ms. The lockout, not this,
# keeps a PIN of six digits from being guessed at the door.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# Two at once: what a rush of logins may take of the processor and of memory is bounded, and the
# event loop goes on.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")

_nobodys = _hasher.hash(secrets.token_urlsafe(24))


async def hash_pin(pin: str) -> str:
    """What is kept of a PIN: algorithm, parameters, salt and hash in one text."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, pin)


async def pin_matches(pin: str, pin_hash: str | None) -> bool:
    """Whether the PIN is the one of `pin_hash`.

    Without one (there is no such card) the answer is no, after as much work as for a wrong PIN: the
    time that a login takes does not tell which cards exist.
    """
    loop = asyncio.get_running_loop()
    matches = await loop.run_in_executor(_threads, _matches, pin, pin_hash or _nobodys)
    return matches and pin_hash is not None


def _matches(pin: str, pin_hash: str) -> bool:
    try:
        return _hasher.verify(pin_hash, pin)
    except VerificationError:
        return False
