"""Questions whose task model uses tools: the protocol, the loop, and what is told of a database."""
