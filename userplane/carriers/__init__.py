"""The insurers that the marketplace asks for rates: other companies' services, deployed on their own."""
