"""Settings from defaults, file and environment, in that order, with errors a person can act on."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tradeclear.config.settings import ENVIRONMENT_PREFIX, Settings
from tradeclear.model.errors import InvalidField, TradeclearError
from tradeclear.model.instrument import Instrument, define_instrument

DECIMAL_SETTINGS = frozenset(
    {"tick_size", "lot_size", "price_max", "quantity_min", "quantity_max"}
    | {"notional_min", "notional_max"}
)

PLAIN_NAMES = ("PORT", "REDIS_URL", "REDIS_HOST", "REDIS_PORT")
"""Variables that are understood without the prefix, too."""


class SettingsError(TradeclearError):
    """The configuration can't be used; the text names the setting, where it stands, and why."""


def load_settings(
    file: Path | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    **overrides: Any,
) -> Settings:
    """Read the settings. `overrides` that are not None (command-line flags) win over everything.

    A `.env` file in the working directory adds to the environment, which wins over it.
    Raises `SettingsError`.
    """
    values = _from_file(file) if file is not None else {}
    values |= _from_environment({**_from_dotenv(Path(".env")), **environment})
    values |= {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), file)) from None
    define_instruments(settings)
    _check_shadow(settings)
    return settings


def define_instruments(settings: Settings) -> tuple[Instrument, ...]:
    """The instruments that the settings describe. Raises `SettingsError`."""
    instruments: dict[str, Instrument] = {}
    for wanted in settings.instruments:
        try:
            instrument = define_instrument(**msgspec.structs.asdict(wanted))
        except InvalidField as error:
            raise SettingsError(f"instrument {wanted.name!r}: {error}") from None
        if instrument.name in instruments:
            raise SettingsError(f"instrument {wanted.name!r} is there twice")
        instruments[instrument.name] = instrument
    if not instruments:
        raise SettingsError("instruments: at least one is needed")
    return tuple(instruments.values())


def _check_shadow(settings: Settings) -> None:
    """Raises `SettingsError`."""
    if settings.shadow_quotes_client == settings.shadow_trades_client:
        raise SettingsError("shadow_trades_client: must differ from shadow_quotes_client")
    names = [instrument.name for instrument in settings.instruments]
    if settings.feed == "shadow" and settings.shadow_instrument not in names:
        raise SettingsError(
            f"shadow_instrument: {settings.shadow_instrument!r} is none of the instruments: "
            f"choose from {', '.join(names)}"
        )


def _from_file(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream, parse_float=str)
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    instruments = values.get("instruments")
    if isinstance(instruments, list):
        values["instruments"] = [_decimals_as_text(table) for table in instruments]
    return values


def _decimals_as_text(table: Any) -> Any:
    """A table with its numbers as the text that was written."""
    if not isinstance(table, dict):
        return table
    return {
        name: str(value) if name in DECIMAL_SETTINGS and isinstance(value, int) else value
        for name, value in table.items()
    }


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in PLAIN_NAMES:
        if environment.get(name):
            values[name.lower()] = environment[name]
    for name, text in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == "TRADECLEAR_DATA":
            continue
        setting = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        if setting not in Settings.__struct_fields__:
            raise SettingsError(f"{name}: there is no setting {setting!r}")
        values[setting] = _json_list(name, text) if setting == "instruments" else text
    return values


def _json_list(name: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text, type=list[dict[str, str]], strict=False)
    except msgspec.MsgspecError as error:
        raise SettingsError(f"{name}: must be a JSON array of objects ({error})") from None


def _from_dotenv(file: Path) -> dict[str, str]:
    """NAME=value lines; `#` begins a comment, quotes around a value are taken off."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    values = {}
    for line in lines:
        match = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", line)
        if match and not line.lstrip().startswith("#"):
            values[match[1]] = match[2].strip("'\"")
    return values


def _explain(problem: str, file: Path | None) -> str:
    where = f" (from {file} or the environment)" if file is not None else ""
    return (
        problem.replace(" - at `$.", ": setting `").replace("Object", "The configuration") + where
    )
