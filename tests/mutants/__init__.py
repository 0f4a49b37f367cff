"""Mutation testing: break one thing at a time, in a copy of the database, and see whether a test notices.

mutant      one broken thing: a name, and the statement that breaks it
derive      every mutant that the live catalogue has room for; its queries are in queries/
guards      the conditions in a function's body, and the same body with one of them negated
suite       the tests as killers: collected once, and which tables and functions each of them touches
killers     which of them a mutant meets, and in what order
bench       a process and a copy of the template database for each mutant, several at a time
verdict     what became of each, what was accepted in equivalent.toml, and the report
__main__    the command line (`make test-mutants`)
"""
