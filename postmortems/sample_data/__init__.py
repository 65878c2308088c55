"""The sample data, in our own words: a small organisation, its incidents, and some the whole world knows."""
