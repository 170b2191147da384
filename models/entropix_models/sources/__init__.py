"""Where weights come from: the catalogue, the Hub, a wheel, folders."""
