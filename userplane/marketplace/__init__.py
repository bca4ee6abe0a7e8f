"""One deploy of the marketplace: its public service, the quote engine and the carrier gateway as processes of their own."""
