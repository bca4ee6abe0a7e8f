"""What `sre-space` can be told to do: one module a command, each with `run(argv, env) -> exit code`."""
