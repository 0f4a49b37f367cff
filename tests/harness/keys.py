"""API keys in the shape of each provider's, good for nothing, and an encryption key to seal them with."""

import secrets
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.session import Session

# No two alike, so that whatever is found anywhere can only have come from there.
KEYS = {
    "openai": "sk-proj-" + "Zq7Lm2Xw9Rt4Vb6Nc8Kd1Fg3Hj5Ps0Ty" + "OpenAiKeyMarker1",
    "gemini": "AIza" + "Sy7Lm2Xw9Rt4Vb6Nc8Kd1Fg3Hj5Ps0TyGmn"[:35],
    "anthropic": "sk-ant-api03-" + "Wk3Lm8Xw1Rt6Vb2Nc9Kd4Fg7Hj0Ps5Ty" + "AnthropicKeyMarker",
}
ENCRYPTION_KEY = "Encryption-Key-Marker/" + b64encode(bytes(range(32))).decode()


def new_encryption_key() -> str:
    return b64encode(secrets.token_bytes(32)).decode()


def configure(db: "Session", secret: str = ENCRYPTION_KEY, name: str = "app_encryption_key") -> None:
    """Put an encryption key where a server without Vault has it. The speaker stays."""
    with db.aside():
        db.as_owner().run("delete from private.secrets where name = %s", [name])
        db.run("insert into private.secrets (name, secret) values (%s, %s)", [name, secret])
