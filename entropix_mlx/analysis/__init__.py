"""What can be said of records: why a token came out as it did, where two runs part."""
