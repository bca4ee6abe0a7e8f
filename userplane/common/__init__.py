"""What every service of the marketplace shares: manifest, dependency client, telemetry, serving."""
