"""Whose certificates a client believes."""

from __future__ import annotations

import ssl

from bot.tls import trusted


def test_an_address_without_tls_trusts_nobody_it_might_redirect_to() -> None:
    assert trusted("https://api.github.com") is True and trusted("") is True
    nobody = trusted("http://127.0.0.1:8080/api/v3")
    assert isinstance(nobody, ssl.SSLContext) and nobody.verify_mode is ssl.CERT_REQUIRED and nobody.check_hostname
    assert nobody.get_ca_certs() == []
