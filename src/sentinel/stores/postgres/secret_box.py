"""Secrets that must be readable again, encrypted where there is a key (Fernet: AES-128-CBC with HMAC-SHA256)."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sentinel.errors import ConfigurationError
from sentinel.settings import WebhookSettings


class SecretBox:
    """Seals and opens secrets.

    Raises:
        ConfigurationError: A key is none.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        keys = [key.strip() for key in settings.encryption_key.get_secret_value().split(",") if key.strip()]
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError as error:
            raise ConfigurationError(
                "SENTINEL_WEBHOOKS__ENCRYPTION_KEY holds what is no Fernet key; make one by "
                "`openssl rand -base64 32 | tr '+/' '-_'`, and separate several by commas"
            ) from error

    def seal(self, secret: str) -> tuple[bytes, bool]:
        """Return what to store, and whether it is encrypted."""
        content = secret.encode()
        return (content, False) if self._fernet is None else (self._fernet.encrypt(content), True)

    def unseal(self, sealed: bytes, *, is_encrypted: bool) -> str | None:
        """Return the secret; None where none of the keys opens it."""
        if not is_encrypted:
            return sealed.decode()
        try:
            return None if self._fernet is None else self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None
