"""What the tests stand on.

clusters    test servers, one per PostgreSQL version, shared by all workers
databases   template databases with our migrations applied, and clones of them
session     one transaction in which a test seeds as the owner and then speaks as anyone
request     what PostgREST sets before a request: role, claims, headers, timeouts
refusal     which guard refused: a grant, a policy, a function
people      accounts, made as Supabase Auth makes them
examples    one valid row of every table
shapes      one write in each shape that PostgreSQL checks differently
postgrest   statements as PostgREST writes them
client      users who send real requests at the same time
rest        an HTTP server that speaks for a user as PostgREST does
node        TypeScript, compiled with what package.json pins
keys        API keys of no use, and what they are sealed with
"""
