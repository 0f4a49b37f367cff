"""The prober: what the access contract says, tried with real statements as every role, and compared.

It lives with the tool and not with the tests, because the tool draws the matrix and explains access with it; the tests
call it case by case, and whoever breaks policies on purpose calls `run`.

contract     tests/access_contract.toml, read; `source` knows its lines, `rules` which rows it means
catalogue    what the database has; `equality` compares the two, name by name
session      one transaction, in which the owner prepares and everybody tries; `causes` tells refusals apart
rows         builds valid rows of any table, from `candidates`
stage        accounts, kinds of rows, empty tables
tables       tries every command, kind of row, column, shape; `shapes` writes, `expect` foretells, `observations` judges
routines     calls functions and reads views in a small `world`, and compares what they answer; `calls` makes the calls
objects      schemas, closed tables, partitions, sequences
prober       all of it as cases; `failures` puts what differs into words
grid         the matrix of what was observed
ablation     which guard opens a cell, or closes it
"""

from forge_db.access.contract import Contract, load
from forge_db.access.failures import Failure
from forge_db.access.prober import Report, cases, examine, run

__all__ = ["Contract", "Failure", "Report", "cases", "examine", "load", "run"]
