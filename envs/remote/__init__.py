"""``LSE/Remote-v0``: an env whose domain, questions and task model are at a host, and only its observations here."""
