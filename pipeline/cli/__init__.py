"""Three commands: parse, load the config, call one recipe, print the counts."""
