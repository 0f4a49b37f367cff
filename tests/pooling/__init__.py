"""Connections that many people share, one request after the other.

senders     who sends requests, and what PostgREST tells the transaction of each
ends        the ways in which a request can end
session     what a session holds that the next request must not find
load        many clients at once, and what crossed between them
"""
