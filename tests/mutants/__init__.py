"""Mutation testing: break one thing at a time, in a copy of the database, and see whether a test notices.

mutant      one broken thing: a name, and the statement that breaks it
derive      every mutant that the live catalogue has room for; its queries are in queries/
guards      the conditions in a function's body, and the same body with one of them negated
sample      some mutants of every kind, and the few tests that they need
suite       the tests as killers: collected once, each run in a transaction that begins with the breaking
baseline    every killer on the unbroken database: that it passes, what it uses, how long it takes
probing     the prober, turned inside out
killers     which of them a mutant meets, and in what order
steps       what a mutant goes through while nobody notices it
memory      who noticed which the last time
bench       a process for each task, several at a time, and copies of the template database for them
run         mutants through their steps, to a verdict for each
verdict     what became of each, what was accepted in equivalent.toml, and the report
watch       the end of a test that does not end
costs       the processor time of it all
__main__    the command line (`make test-mutants`)
"""
