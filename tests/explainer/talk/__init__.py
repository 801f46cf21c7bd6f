"""What people say in conversation: what they want, and what it does to a prompt."""
