"""Files: typed shards, manifests, resuming."""
