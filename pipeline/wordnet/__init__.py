"""WordNet: its database files, and the table of nouns that ships with the package."""
