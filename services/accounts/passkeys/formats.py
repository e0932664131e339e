"""Options and proofs of WebAuthn, as browsers take and give them in JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.accounts.cardholders.rules import Cardholder
from services.accounts.passkeys.rules import VALID_FOR, Passkey, id_of

_TIMEOUT_MS = int(VALID_FOR.total_seconds() * 1000)
_ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]


class Unproven(Exception):
    """A proof that is malformed, or that does not hold."""


@dataclass(frozen=True)
class Site:
    """The public address of the library, to which its passkeys belong."""

    origin: str

    @property
    def rp_id(self) -> str:
        """The host name, to which authenticators bind a passkey."""
        return urlsplit(self.origin).hostname or ""


@dataclass(frozen=True)
class Assertion:
    """A proof of a log-in that was read, and is not verified yet."""

    passkey_id: str
    account_id: str
    """The account that the authenticator names."""
    challenge: str


def creation_options(
    site: Site, holder: Cardholder, passkeys: Iterable[Passkey], challenge: str
) -> dict[str, Any]:
    """Return with what a browser makes a passkey, on an authenticator that has none yet."""
    return options_to_json_dict(
        generate_registration_options(
            rp_id=site.rp_id,
            rp_name=site.rp_id,
            user_id=holder.id.encode(),
            user_name=holder.card_number,
            user_display_name=holder.name,
            challenge=challenge.encode(),
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(base64url_to_bytes(one.credential))
                for one in passkeys
            ],
            supported_pub_key_algs=_ALGORITHMS,
        )
    )


def request_options(site: Site, challenge: str) -> dict[str, Any]:
    """Return with what a browser lets somebody choose a passkey; no account is named."""
    return options_to_json_dict(
        generate_authentication_options(
            rp_id=site.rp_id,
            challenge=challenge.encode(),
            timeout=_TIMEOUT_MS,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
    )


def challenge_in(credential: str) -> str:
    """Return the challenge that a new passkey has signed. Raises Unproven."""
    try:
        return _challenge(parse_registration_credential_json(credential).response.client_data_json)
    except Exception as error:
        raise Unproven from error


def read_assertion(credential: str) -> Assertion:
    """Return what the proof of a log-in says. Raises Unproven."""
    try:
        parsed = parse_authentication_credential_json(credential)
        return Assertion(
            id_of(bytes_to_base64url(parsed.raw_id)),
            (parsed.response.user_handle or b"").decode(),
            _challenge(parsed.response.client_data_json),
        )
    except Exception as error:
        raise Unproven from error


def _challenge(client_data: bytes) -> str:
    found = parse_client_data_json(client_data)
    if found.cross_origin:
        raise Unproven
    return found.challenge.decode("ascii")


def verified_creation(credential: str, challenge: str, site: Site) -> tuple[str, str, int]:
    """Return id, public key and counter of a new passkey. Raises Unproven."""
    try:
        found = verify_registration_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:
        raise Unproven from error
    return (
        bytes_to_base64url(found.credential_id),
        bytes_to_base64url(found.credential_public_key),
        found.sign_count,
    )


def verified_counter(credential: str, challenge: str, site: Site, passkey: Passkey) -> int:
    """Return the counter of a proof of a log-in, which its owner confirmed. Raises Unproven.

    The counter itself is compared where it is stored.
    """
    try:
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise Unproven from error
    return found.new_sign_count
