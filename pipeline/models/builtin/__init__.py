"""Real models whose weights come as packages."""
