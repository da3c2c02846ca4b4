"""`gproxyctl`: the configuration in the store, from the command line.

`arguments` says what can be asked, `commands` does it, `files` reads and writes JSON, YAML and TOML.
"""
