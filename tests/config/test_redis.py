"""The rule: Redis is named as people expect it, and its password is nobody's business."""

import pytest

from tradeclear.config.load import SettingsError, load_settings
from tradeclear.config.redis import redis_url
from tradeclear.mirror.urls import shown


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"REDIS_URL": "redis://there:1/2"}, "redis://there:1/2"),
        ({"REDIS_URL": "", "REDIS_HOST": ""}, None),
        ({"REDIS_HOST": "there"}, "redis://there:6379/0"),
        ({"REDIS_HOST": "::1", "REDIS_PORT": "7"}, "redis://[::1]:7/0"),
        ({"REDIS_PORT": "7"}, None),
        ({"REDIS_URL": "unix:///a", "REDIS_HOST": "there"}, "unix:///a"),
        ({"REDIS_URL": "redis://a", "TRADECLEAR_REDIS_URL": "rediss://b"}, "rediss://b"),
    ],
)
def test_the_url_that_is_named(environment: dict[str, str], url: str | None) -> None:
    assert redis_url(load_settings(environment=environment)) == url


@pytest.mark.parametrize("text", ["there:6379", "http://user:hunter2@there"])
def test_what_is_no_redis_url_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SettingsError, match="redis_url") as caught:
        load_settings(environment={"REDIS_URL": text})
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", ["redis://:hunter/2@there", "redis://there:99999"])
def test_what_can_not_be_taken_apart_is_refused_without_repeating_it(text: str) -> None:
    settings = load_settings(environment={"REDIS_URL": text})
    with pytest.raises(SettingsError, match="redis_url") as caught:
        redis_url(settings)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://there:6379/0", "redis://there:6379/0"),
        ("redis://user:hunter2@there:6379/0?x=y", "redis://there:6379/0"),
        ("rediss://:hunter@2@there", "rediss://there"),
        ("unix://:hunter2@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_a_url_is_told_without_its_secrets(url: str, told: str) -> None:
    assert shown(url) == told
