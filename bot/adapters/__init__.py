"""The real outside behind the ports, one module for each peer."""
