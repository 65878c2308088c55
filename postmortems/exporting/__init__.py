"""What one may see, as plain records; and the files they are written to: JSON Lines, Markdown, CSV."""
