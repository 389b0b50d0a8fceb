"""Who runs the stages: Ray Data, or a plain loop."""
