"""The access matrix: the table, the world that it is about, and what is asked in it."""
