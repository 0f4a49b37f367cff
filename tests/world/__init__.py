"""The world as the access contract has it: a small model that says what everybody sees and what a statement does.

rows           all rows of all tables, and which of them the contract shows to whom
furniture      what stands in the world at the beginning
observer       speaks as anyone, reads the rows as they are and as each one sees them
stage          all of that set up on one connection, with its cast
statements     what people do: insert, update, delete, call a function, sign in, be dismissed, leave
model          what a statement does by the contract
functions      what a function answers and does by the contract
arguments      what a function is called with
restraint      what holds for every function: what it may change and tell
steps          turns bytes into statements
play           plays statements on the database and on the model, and compares the two
status         the HTTP status that PostgREST answers an error with
"""
