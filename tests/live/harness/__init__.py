"""Harness of the live tests: a private PostgreSQL, private httpd servers, and a client that hides nothing."""
