"""Settings of the gateway: those of every service, and the limits of its edge."""

import ssl
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    model_validator,
)
from pydantic_settings import NoDecode

from services import settings
from services.gateway.wallets import AppleSigner, GoogleSigner
from shared.settings import SPLIT, Keys, table_of

LIMITS: Mapping[str, int] = {
    "caller": 1200,
    "desk": 3000,
    "address": 1200,
    "search": 240,
    "announce": 30,
    "log-in": 60,
    "ask": 5,
    "visit": 60,
}
"""Requests per minute, 0 for no limit: of one patron, of one account of staff or of a machine, and
of one address for callers without a token. Apart from these: searches; commands of one librarian
about notices and questions; and of one address log-ins, questions of guests, and visitors, of whom
a turnstile lets 20 to 30 through in a minute."""


class Station(BaseModel):
    """Settings of a station that speaks SIP2."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    branch: str = Field(default="", pattern=r"^[A-Za-z0-9-]{0,20}$")
    """Code of its library; empty: the station names it when it logs in (CP)."""
    institution: str = ""
    """Id that it expects (AO); empty: the one that it sends."""
    library: str = ""
    """Name of the library on its screens (AM)."""
    currency: str = Field(default="HKD", pattern=r"^[A-Z]{3}$")
    time_zone: str = ""
    """Time zone of the dates that it sends and gets; empty: the library's."""
    encoding: Literal["utf-8", "cp850", "cp437", "latin-1", "ascii"] = "utf-8"
    shows: tuple[Literal["name", "items", "amounts", "contact"], ...] | None = None
    """Parts of an account that it gets with the right PIN. None: all but `contact` for a station,
    and none for a service that only checks patrons, which never gets `contact`."""
    hold_count: Literal["ready", "all"] = "ready"
    """Holds that the first count of a patron has."""
    channel: Literal["station", "book-drop"] = "station"
    till: str = Field(default="", max_length=30)
    bins: Mapping[str, str] = {}
    """Bins of a sorter: of holds (`hold`), of a library (its code), and of all others (`other`)."""


def _stations(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tomllib.loads(value)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {error}") from None


class Settings(settings.Settings):
    """Settings of the gateway."""

    limits: Annotated[Mapping[str, NonNegativeInt], NoDecode, table_of(LIMITS)] = LIMITS
    busy_requests: int = Field(default=200, ge=0)
    security_contact: str = Field(default="", pattern=r"^((mailto:|tel:|https://)[!-~]+)?$")
    security_expires: AwareDatetime | None = None
    synthetic_patron: str = Field(default="", pattern=r"^([!-9;-~]+:[!-~]+)?$", repr=False)
    offline_keys: Keys = Field(default="", repr=False)
    cors_origins: Annotated[tuple[str, ...], NoDecode, SPLIT] = ()
    paia_jsonp: bool = False
    staff_label: str = Field(default="", max_length=60)
    wallet_apple: str = Field(default="", repr=False)
    wallet_google: str = Field(default="", repr=False)
    wallet_google_issuer: str = Field(default="", pattern=r"^[0-9]{0,30}$")
    hsts_seconds: int = Field(default=0, ge=0)
    sip2_port: int = Field(default=0, ge=0, le=65535)
    sip2_host: str = "127.0.0.1"
    sip2_tls_port: int = Field(default=0, ge=0, le=65535)
    sip2_certificate_file: str = ""
    sip2_key_file: str = ""
    sip2_stations: Annotated[Mapping[str, Station], NoDecode, BeforeValidator(_stations)] = Field(
        default={}
    )

    @model_validator(mode="after")
    def _whole_contact(self) -> Self:
        if bool(self.security_contact) != bool(self.security_expires):
            raise ValueError("CARREL_SECURITY_CONTACT and CARREL_SECURITY_EXPIRES need each other")
        try:
            self.sip2_tls()
        except OSError:
            raise ValueError(
                "CARREL_SIP2_TLS_PORT needs a certificate and its key, which can be read, in "
                "CARREL_SIP2_CERTIFICATE_FILE and CARREL_SIP2_KEY_FILE"
            ) from None
        if bool(self.wallet_google) != bool(self.wallet_google_issuer):
            raise ValueError("CARREL_WALLET_GOOGLE and CARREL_WALLET_GOOGLE_ISSUER need each other")
        self.apple_signer()
        self.google_signer()
        return self

    def apple_signer(self) -> AppleSigner | None:
        """Return what signs cards for Apple's wallet; None: nothing. Raises ValueError."""
        return AppleSigner.read(self.wallet_apple) if self.wallet_apple else None

    def google_signer(self) -> GoogleSigner | None:
        """Return what signs cards for Google's wallet; None: nothing. Raises ValueError."""
        if not self.wallet_google:
            return None
        return GoogleSigner.read(self.wallet_google, self.wallet_google_issuer)

    def sip2_tls(self) -> ssl.SSLContext | None:
        """Return the context of the TLS port for stations; None: there is none. Raises OSError."""
        if not self.sip2_tls_port:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.sip2_certificate_file, self.sip2_key_file)
        return context
