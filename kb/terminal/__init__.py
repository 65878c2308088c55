"""The command `kb`: the knowledge base from a terminal, of a server by its address and a token, or of this machine."""
