"""Whole conversations of several people, through `darkroom chat --script --json`, held against what was expected."""
