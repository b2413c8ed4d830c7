"""The page's settings: the only place that reads the environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once at the start. An empty variable counts as unset."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    # Where the page listens.
    host: str = Field(default="127.0.0.1", alias="UI_HOST")
    port: int = Field(default=8501, alias="UI_PORT")
    # Where the page finds the gateway.
    api_url: str = Field(default="http://127.0.0.1:8000", alias="API_URL")
    # The key the page shows the gateway. Unset: the file `admin.key` in PARLEY_HOME.
    api_key: SecretStr | None = Field(default=None, alias="API_KEY")
    # Whether the page has no key, and everybody must show theirs.
    sign_in: bool = Field(default=False, alias="UI_SIGN_IN")
    home: Path = Field(default=Path(".parley"), alias="PARLEY_HOME")

    def for_the_page(self) -> dict[str, str | bool]:
        """Returns what the page's script needs; it finds this in `st.secrets`."""
        key = self.api_key.get_secret_value() if self.api_key else ""
        key_file = str((self.home / "admin.key").resolve())
        return {
            "api_url": self.api_url,
            "sign_in": self.sign_in,
            "api_key": "" if self.sign_in else key,
            "key_file": "" if self.sign_in else key_file,
        }
