"""What puts evidence into words."""
