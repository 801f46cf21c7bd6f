"""What a person sees: Discord, the command line, the playground. Never imports torch."""
