"""Grade a class: learners' code in a sandbox, checks in a process of their own."""
