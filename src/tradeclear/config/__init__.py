"""The settings: a TOML file, the environment, and what they may be."""
