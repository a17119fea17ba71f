"""Products ("verticals"): one YAML file each, in config/verticals."""
