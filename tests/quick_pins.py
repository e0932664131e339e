"""PINs are hashed in microseconds by each process that imports this: tests, and their services.

Tests register thousands of patrons; argon2id with its usual parameters takes 30 ms for each PIN.
"""

from argon2 import PasswordHasher

from services.accounts.sign_in.commands.hashes import hash_with

HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

hash_with(HASHER)
