"""Defaults, file, environment, flags, in that order; whatever can't be used is named."""

from pathlib import Path

import pytest

from tradeclear.config.load import SettingsError, define_instruments, load_settings
from tradeclear.config.settings import Settings


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "tradeclear.toml"
    file.write_text(text)
    return file


def test_without_anything_there_are_defaults() -> None:
    assert load_settings(environment={}) == Settings()


def test_the_environment_wins_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    file = write(tmp_path, "port = 1\nwal_dir = 'file'\nsnapshot_interval_s = 5\n")
    settings = load_settings(
        file, environment={"TRADECLEAR_PORT": "2", "TRADECLEAR_WAL_DIR": "environment"}, port=3
    )
    assert (settings.port, settings.wal_dir, settings.snapshot_interval_s) == (3, "environment", 5)


def test_port_is_understood_as_people_expect_it() -> None:
    assert load_settings(environment={"PORT": "9000"}).port == 9000


def test_dotenv_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "# settings\nexport TRADECLEAR_WAL_DIR='dotenv'\nPORT=7000\nEDITOR=vi\n"
    )
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environment={"PORT": "7001"})
    assert (settings.wal_dir, settings.port) == ("dotenv", 7001)


@pytest.mark.parametrize("name", sorted(set(Settings.__struct_fields__) - {"host", "wal_dir"}))
def test_every_setting_has_a_variable(name: str) -> None:
    with pytest.raises(SettingsError, match=name.upper() if name == "instruments" else name):
        load_settings(environment={f"TRADECLEAR_{name.upper()}": "{"})


def test_decimals_of_instruments_are_exact_as_written(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        [[instruments]]
        name = "A"
        tick_size = 0.05
        lot_size = 1
        quantity_max = 1000000
        """,
    )
    (instrument,) = define_instruments(load_settings(file, environment={}))
    assert (instrument.tick_size, instrument.lot_size) == ("0.05", "1")


def test_instruments_come_from_the_environment_as_json() -> None:
    text = '[{"name": "A", "lot_size": "1"}, {"name": "B"}]'
    settings = load_settings(environment={"TRADECLEAR_INSTRUMENTS": text})
    assert [instrument.name for instrument in settings.instruments] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("prot = 1", "prot"),
        ("port = 70000", "port"),
        ("port = 'many'", "port"),
        ("snapshot_interval_s = 0", "snapshot_interval_s"),
        ("port = ", "tradeclear.toml"),
        ("instruments = []", "instruments"),
        ("[[instruments]]\nname = 'btc'", "btc"),
        ("[[instruments]]\nname = 'A'\ntick_size = '0'", "tick_size"),
        ("[[instruments]]\nname = 'A'\n[[instruments]]\nname = 'A'", "twice"),
        ("[[instruments]]\nname = 'A'\nquantity_max = '1e30'", "quantity_max"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        load_settings(write(tmp_path, text), environment={})


def test_an_unknown_variable_is_refused() -> None:
    with pytest.raises(SettingsError, match="TRADECLEAR_PROT"):
        load_settings(environment={"TRADECLEAR_PROT": "1"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        load_settings(tmp_path / "nowhere.toml", environment={})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("feed = 'shadow'\nshadow_instrument = 'ETH-USD'", "shadow_instrument: 'ETH-USD' is none"),
        ("shadow_quotes_client = 'a'\nshadow_trades_client = 'a'", "shadow_trades_client"),
        ("shadow_quotes_client = 'a b'", "shadow_quotes_client"),
        ("shadow_levels = 0", "shadow_levels"),
        ("shadow_refill_s = 0", "shadow_refill_s"),
        ("shadow_when_stale = 'panic'", "shadow_when_stale"),
    ],
)
def test_a_shadow_that_cannot_be(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        load_settings(write(tmp_path, text), environment={})


def test_the_shadows_instrument_matters_with_the_shadow_only(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "shadow_instrument = 'ETH-USD'"), environment={})
    assert settings.feed == "off"
