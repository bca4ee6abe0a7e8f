"""Settings: read once, every mistake named at once, no secret shown, and a page that is true."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.settings import SECRET_FIELDS, SETTINGS, Settings, settings_page

ROOT = Path(__file__).resolve().parents[2]


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.profile) == ("127.0.0.1", 8001, "local")
    assert (settings.tick_s, settings.sweep_s) == (0.5, 20.0)
    assert settings.allowed_hosts == ("127.0.0.1", "localhost", "[::1]")
    assert settings.github_api_url == "https://api.github.com"
    assert settings.openai_model == "gpt-4o"
    assert not settings.demo and settings.marker_key == ""


def test_on_render_the_cloud_profile_and_its_names_are_taken() -> None:
    env = {
        "RENDER": "true",
        "RENDER_EXTERNAL_HOSTNAME": "Sre.onrender.com",
        "RENDER_EXTERNAL_URL": "https://sre.onrender.com",
        "PORT": "10000",
    }
    settings = Settings.from_env(env)
    assert (settings.profile, settings.host, settings.port, settings.sweep_s) == ("cloud", "0.0.0.0", 10000, 120.0)
    assert settings.public_url == "https://sre.onrender.com"
    assert settings.allowed_hosts == ("127.0.0.1", "localhost", "[::1]", "sre.onrender.com")


def test_every_wrong_setting_is_named_at_once_and_no_secret_is_shown() -> None:
    env = {
        "SRE_REPOSITORY": "not a repository",
        "PORT": "80 01",
        "SRE_TICK_S": "nan",
        "SRE_PROFILE": "huge",
        "SRE_ALLOWED_ORIGINS": "https://a.example/path",
        "SRE_ALLOWED_HOSTS": "https://a.example",
        "GITHUB_API_URL": "http://api.example",
        "SRE_FEED_URL": "ftp://a.example",
        "SRE_WEBHOOK_SECRET": "hush\nhush",
    }
    with pytest.raises(Refused) as refused:
        Settings.from_env(env)
    message = str(refused.value)
    assert all(name in message for name in env)
    assert "hush" not in message


@pytest.mark.parametrize(
    "url", ["https://u:p@a.example", "https://", "https://a.example?x=1", "https://a b", "https://a:99999", "http://a\tb"]
)
def test_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(Refused, match="SRE_FEED_URL"):
        Settings.from_env({"SRE_FEED_URL": url})


@pytest.mark.parametrize("name", ["owner", "owner/", "/name", "o/n/x", "o/..", "o/.", "-o/n", "o/n m", "o/n\n"])
def test_odd_repository_names_are_refused(name: str) -> None:
    if name.strip() != name:
        assert Settings.from_env({"SRE_REPOSITORY": name}).repository == name.strip()
        return
    with pytest.raises(Refused, match="SRE_REPOSITORY"):
        Settings.from_env({"SRE_REPOSITORY": name})


def test_a_token_may_go_in_clear_to_this_machine_only() -> None:
    assert Settings.from_env({"GITHUB_API_URL": "http://127.0.0.1:9000/api/v3/"}).github_api_url == "http://127.0.0.1:9000/api/v3"
    with pytest.raises(Refused, match="https"):
        Settings.from_env({"GITHUB_API_URL": "http://127.0.0.1.example/api/v3"})


def test_the_first_name_that_is_set_wins() -> None:
    both = {"SRE_GITHUB_TOKEN": "", "GITHUB_PERSONAL_ACCESS_TOKEN": " second "}
    assert Settings.from_env(both).github_token == "second"
    assert Settings.from_env({**both, "SRE_GITHUB_TOKEN": "first"}).github_token == "first"


def test_the_marker_key_follows_from_the_token_unless_given() -> None:
    one, other = (Settings.from_env({"SRE_GITHUB_TOKEN": token}).marker_key for token in ("a-token", "b-token"))
    assert one and other and one != other and "a-token" not in one
    assert Settings.from_env({"SRE_GITHUB_TOKEN": "a-token", "SRE_MARKER_KEY": "mine"}).marker_key == "mine"


def test_no_secret_appears_in_the_repr() -> None:
    secrets = {setting.names[0]: f"hidden-{setting.field}" for setting in SETTINGS if setting.secret}
    shown = repr(Settings.from_env({**secrets, "SRE_REPOSITORY": "acme/market"}))
    assert "hidden" not in shown and "acme/market" in shown
    assert {setting.field for setting in SETTINGS if setting.secret} == SECRET_FIELDS


def test_a_command_names_all_that_it_misses_and_how_to_set_it() -> None:
    settings = Settings.from_env({"SRE_REPOSITORY": "acme/market"})
    settings.require("repository", "github_api_url")
    with pytest.raises(Refused) as refused:
        settings.require("github_token", "repository", "webhook_secret")
    message = str(refused.value)
    assert "SRE_GITHUB_TOKEN or GITHUB_PERSONAL_ACCESS_TOKEN" in message and "SRE_WEBHOOK_SECRET" in message
    assert "SRE_REPOSITORY" not in message


def test_the_table_has_a_row_for_every_field_and_the_page_is_the_table() -> None:
    assert {setting.field for setting in SETTINGS} == {item.name for item in fields(Settings)}
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings_page(), "run: python -m bot.settings > docs/settings.md"
