"""Whose certificates a client believes."""

from __future__ import annotations

import ssl

from bot.tls import trusted


def test_an_address_without_tls_trusts_nobody_it_might_redirect_to() -> None:
    nobody = trusted("http://127.0.0.1:8080/api/v3")
    assert nobody.verify_mode is ssl.CERT_REQUIRED
    assert nobody.check_hostname
    assert nobody.get_ca_certs() == []


def test_all_clients_of_a_process_believe_the_usual_authorities_which_are_loaded_once() -> None:
    usual = trusted("https://api.github.com")
    assert usual.verify_mode is ssl.CERT_REQUIRED
    assert usual.check_hostname
    assert len(usual.get_ca_certs()) > 50
    assert trusted("") is usual
