"""Lead a browser to the identity provider, and log in who comes back from there."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Cardholder, ProviderLink
from services.accounts.identity_provider import refusals
from services.accounts.identity_provider.clients import Provider
from services.accounts.identity_provider.formats import identity_of
from services.accounts.identity_provider.rules import (
    VALID_FOR,
    Identity,
    bound,
    challenge_of,
    linked,
    nonce_of,
    role_in_session,
    to_log_in,
    verifier_of,
)
from services.accounts.keys.commands import SignedToken
from services.accounts.openid.rules import with_query
from services.accounts.settings import Settings
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.log_in import (
    Attempt,
    admit,
    check_device,
    limiting_strangers,
)
from services.accounts.sign_in.refusals import AccountDisabled
from services.accounts.sign_in.rules import end_of_challenge, new_challenge
from shared.refusals import or_refuse
from shared.rights import rights_of, roles_of_account
from shared.unit_of_work import Run, Work

LOG_IN = "POST /v1/sessions/provider"


async def address_to_log_in(
    settings: Settings, provider: Provider, browser: str, at: datetime
) -> str:
    """Return the address at the provider where a browser logs in. Nothing is stored.

    Raises NoProvider or ProviderAway.
    """
    metadata = await provider.metadata()
    state = new_challenge(settings.device_keys, to_log_in(browser), at + VALID_FOR)
    asked = {
        "response_type": "code",
        "client_id": settings.staff_client_id,
        "redirect_uri": settings.provider_callback,
        "scope": "openid profile email",
        "state": state,
        "nonce": nonce_of(browser, state),
        "code_challenge": challenge_of(verifier_of(browser, state)),
        "code_challenge_method": "S256",
    }
    return with_query(metadata.authorization, asked)


async def address_to_log_out(settings: Settings, provider: Provider) -> str | None:
    """Return the address at which a browser logs out of the provider; None if it has none now."""
    try:
        metadata = await provider.metadata()
    except refusals.ProviderAway:
        return None
    if not metadata.end_session:
        return None
    back = f"{settings.openid_issuer}/log-in"
    asked = {"client_id": settings.staff_client_id, "post_logout_redirect_uri": back}
    return with_query(metadata.end_session, asked)


@dataclass(frozen=True, kw_only=True)
class LogInAtProvider(Attempt):
    """An attempt to log in with the answer of the provider."""

    browser: str = field(repr=False)
    """Secret of the browser that was led to the provider."""
    state: str = field(repr=False)
    code: str = field(repr=False)
    issuer: str = ""
    """The issuer that the answer names, if it names one."""


@dataclass(frozen=True)
class Proof:
    """A log-in at the provider that was checked, and the account that it opens."""

    account_id: str
    link: ProviderLink
    identity: Identity
    role: str
    """Role of the session."""
    state: str = field(repr=False)
    ends_at: datetime
    """Instant at which `state` ends."""


async def log_in_at_provider(
    run: Run, settings: Settings, provider: Provider, command: LogInAtProvider
) -> SignedToken:
    """Open a session for the account that is linked with a log-in at the provider.

    Refused answers are limited as wrong PINs of strangers are, and counted apart. Raises
    BadProviderLogIn, NoLinkedAccount, NoRoleGiven, ProviderFactorNeeded, ProviderAway, NoProvider,
    AccountDisabled, StrangersWait or Busy.
    """
    async with limiting_strangers(run, settings, command, "provider", LOG_IN) as tried:
        purpose = to_log_in(command.browser)
        until = end_of_challenge(command.state, settings.device_keys, purpose, command.at)
        ends_at = or_refuse(until, refusals.BadProviderLogIn)
        identity = await _identity(settings, provider, command)
        found = await cardholders_store.find_linked(run.database, identity.subject, identity.names)
        holder = or_refuse(linked(found, identity), refusals.NoLinkedAccount)
        tried.card_digest = holder.card_digest
        check_device(settings, command, holder)
        role = _checked_role(settings, holder, identity)
        link = or_refuse(holder.provider_link, refusals.NoLinkedAccount)
        proof = Proof(holder.id, link, identity, role, command.state, ends_at)
        prove = partial(_with_provider, settings=settings, proof=proof)
        less = "" if role == holder.role else role
        return await admit(run, settings, holder, command, prove, what=LOG_IN, role=less)


async def _identity(settings: Settings, provider: Provider, command: LogInAtProvider) -> Identity:
    """Return who has logged in at the provider that has answered."""
    metadata, issuer = await provider.metadata(), settings.staff_issuer
    expected = (issuer,) if metadata.names_itself else (issuer, "")
    if command.issuer not in expected:  # another provider's answer: its code goes nowhere
        raise refusals.BadProviderLogIn
    claims = await provider.claims(command.code, verifier_of(command.browser, command.state))
    return identity_of(
        claims,
        issuer=issuer,
        client_id=settings.staff_client_id,
        nonce=nonce_of(command.browser, command.state),
        groups_claim=settings.staff_groups_claim,
        at=command.at,
    )


def _checked_role(settings: Settings, holder: Cardholder, identity: Identity) -> str:
    """Return the role of a session. Raises NoLinkedAccount, NoRoleGiven or ProviderFactorNeeded."""
    roles = roles_of_account(holder.role)
    if "own-pin" not in rights_of(roles):  # a machine's
        raise refusals.NoLinkedAccount
    role = or_refuse(
        role_in_session(roles, identity.groups, settings.roles_of_groups), refusals.NoRoleGiven
    )
    needs_factor = holder.needs_code or holder.role in settings.second_factor_roles
    if needs_factor and not identity.factors & set(settings.staff_factors):
        raise refusals.ProviderFactorNeeded
    return role


def _with_provider(work: Work, *, settings: Settings, proof: Proof) -> Cardholder:
    """Return the holder of the account, whose link is bound to this log-in from now on.

    It is read again: its link or its role may have changed in the meantime, and the same answer may
    have been used. Raises BadProviderLogIn, AccountDisabled, or what a changed role raises.
    """
    holder = or_refuse(
        cardholders_store.cardholder(work, proof.account_id), refusals.BadProviderLogIn
    )
    after = bound(proof.link, proof.identity)
    if holder.provider_link not in (proof.link, after):
        raise refusals.BadProviderLogIn
    if _checked_role(settings, holder, proof.identity) != proof.role:
        raise refusals.BadProviderLogIn
    if not sign_in_store.use_once(work, f"provider {proof.state}", proof.ends_at):
        raise refusals.BadProviderLogIn
    if holder.disabled_at is not None:
        raise AccountDisabled
    return replace(holder, provider_link=after)
