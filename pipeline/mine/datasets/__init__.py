"""Data sets from elsewhere -> our own layout: `layouts` finds the files, `pairs` or `retrieval` reads rows of
them as `items`, `prepare` checks that the parts fit together and writes them (docs/datasets.md)."""
