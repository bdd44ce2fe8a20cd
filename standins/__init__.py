"""Outside services as separate processes, for the demo and the tests. They import nothing of ours."""
