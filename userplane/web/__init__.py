"""The marketplace's public face: pages and API to request a quote, buy it and see one's policies."""
