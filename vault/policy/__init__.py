"""The articles as pure functions: facts in, a verdict out; standard library only, no I/O."""
