"""One file per subject: parse, call the conversation, answer."""
