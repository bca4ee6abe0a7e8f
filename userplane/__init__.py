"""The Insurance Marketplace: small real services that sell car insurance, deployed and observed like any other."""
