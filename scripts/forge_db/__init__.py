"""forge-db: build, run and check the PromptCraft Forge database.

Each module does one job. A module that offers commands lists them in `commands`, and `cli` finds them there, so a
module can be added or deleted without touching another.
"""
