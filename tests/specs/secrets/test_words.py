"""Which keys hold a secret: by whole words, however they are joined."""

import pytest

from heddle.specs.secrets import REDACTED, Words, words_of


@pytest.mark.parametrize(
    "key",
    [
        *(
            "Authorization",
            "authorization",
            "PROXY_AUTHORIZATION",
            "cookie",
            "Set-Cookie",
            "setCookie",
        ),
        *("password", "dbPassword", "db_passwd", "DB-PASSWORD", "password2", "client_secret"),
        *("token", "accessToken", "X-Auth-Token", "csrf.token", "api key", "api-key", "apiKey"),
        *(
            "APIKey",
            "API_KEY",
            "apikey",
            "credential",
            "userCredentials",
            "privateKey",
            "private-key",
        ),
        *(
            "PRIVATE KEY",
            "cardNumber",
            "card_number",
            "cardnumber",
            "cvv",
            "IBAN",
            "userIban",
            "ssn",
        ),
        "ｐａｓｓｗｏｒｄ",
    ],
)
def test_a_key_with_such_a_word_is_hidden(key: str) -> None:
    assert Words().hide(key)


@pytest.mark.parametrize(
    "key",
    [
        *("tokens", "maxTokens", "max_tokens", "tokenizer", "secretary", "cookies", "key", "card"),
        *(
            "number",
            "keyPrivate",
            "number_card",
            "author",
            "passwords",
            "ibanez",
            "private",
            "",
            "api",
        ),
    ],
)
def test_a_key_without_such_a_whole_word_is_shown(key: str) -> None:
    assert not Words().hide(key)


def test_every_entry_of_the_list_hides_itself_in_every_spelling() -> None:
    words = Words()
    for entry in REDACTED:
        parts = words_of(entry)
        camel = parts[0] + "".join(part.title() for part in parts[1:])
        for key in ("_".join(parts), "-".join(parts), " ".join(parts), camel, "".join(parts)):
            assert words.hide(key), key
            assert words.hide(key.upper()), key


def test_settings_add_words_and_allow_whole_keys() -> None:
    words = Words(keys=["pin", "birth date"], allow=["token_type", "secret"])
    assert words.hide("userPin")
    assert words.hide("birthDate")
    assert not words.hide("tokenType")
    assert words.hide("token")
    assert not words.hide("secret")
    assert words.hide("clientSecret")


def test_what_is_not_a_text_names_nothing() -> None:
    assert not Words().hide(1)
    assert not Words().hide(None)
