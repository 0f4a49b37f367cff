"""What other people's tools think of the schema.

findings      what a tool found, and accepted.toml: what of it was weighed and accepted, with the reason
toolbox       where the tools are, and how to run one so that it cannot fail unnoticed
supabase_cli  the advisors of the dashboard, and `supabase db lint`
plpgsql       plpgsql_check on what `db lint` leaves out
squawk        the migrations: locks, types, what breaks clients
pgrls         lint rules on policies and grants, and proofs that users are kept apart
trespass      a second prover, by another author
rlsautotest   a suite that it writes by itself, run with real statements

Run by `make second-opinions`, which installs them. Each one has been seen to find a hole that was planted for it.
"""
